"""A token is shown once; the cookie it gives opens the page and its live feed, and ends with a button."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from adapters.web.api.access import Access
from tests.browser.site import Site
from tests.builders import event
from tests.sites import NOW

TOKEN = "token-of-this-test"


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    """One that takes a token, with one inquiry."""
    made = serve(access=Access([TOKEN], NOW.timestamp))
    made.project(event("created", 1))
    return made


def log_in(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()


def test_who_logs_in_comes_where_he_wanted_to_go_and_sees_it_live(site: Site, page: Page) -> None:
    wanted = f"{site.url}/inquiries/inq_1?as_of=2026-01-01T00:00"
    page.goto(wanted)
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    log_in(page, TOKEN)
    expect(page).to_have_url(wanted)
    site.project(event("approved", 2))
    expect(page.locator("#decision .big")).to_have_text("Approved")


def test_a_wrong_token_is_told_and_opens_nothing(site: Site, page: Page) -> None:
    page.goto(site.url)
    log_in(page, "another-token")
    expect(page.get_by_role("alert")).to_have_text("This token is not known here.")
    page.goto(site.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


def test_after_logging_out_the_token_is_asked_again(site: Site, page: Page) -> None:
    page.goto(site.url)
    log_in(page, TOKEN)
    expect(page.get_by_role("heading", level=1)).to_have_text("Inquiries")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    page.goto(f"{site.url}/ledger")
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    assert page.context.cookies() == []


def test_a_session_that_ends_leads_to_the_form_and_back(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/inquiries/inq_1")
    log_in(page, TOKEN)
    expect(page.locator("#decision")).to_be_visible()
    page.context.clear_cookies()
    site.project(event("started", 2))
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    log_in(page, TOKEN)
    expect(page.locator("#events li")).to_have_count(2)


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(site: Site, page: Page) -> None:
    page.goto(site.url)
    log_in(page, TOKEN)
    expect(page.get_by_role("heading", level=1)).to_have_text("Inquiries")
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert page.evaluate("document.cookie") == ""
