"""What a person does with the page: search, narrow a list, read a story, ask about another time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.site import Site
from tests.sites import make_plan, stories

PLAN = make_plan(500)
REFUSED = next(stories(PLAN, "review after the decision"))
TURNED = next(stories(PLAN, "approved, declined, approved again"))


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without"])
def page(request: pytest.FixtureRequest, open_context: Callable[..., BrowserContext]) -> Page:
    """The same holds without JavaScript."""
    return open_context(java_script_enabled=request.param).new_page()


def test_an_inquiry_is_found_by_its_id(sample: Site, page: Page) -> None:
    page.goto(sample.url)
    page.get_by_label("Inquiry id or reference id").fill(REFUSED)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{sample.url}/inquiries/{REFUSED}")
    expect(page.locator("#decision .big")).to_have_text("Declined")


def test_the_list_is_narrowed_by_its_form_and_by_its_numbers(sample: Site, page: Page) -> None:
    page.goto(sample.url)
    page.get_by_label("Decision", exact=True).select_option("needs_review")
    page.get_by_label("Stuck for").select_option("1d")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("Needs review, waiting for at least 1 day")
    assert set(page.locator("#list td .chip").all_inner_texts()) == {"Needs review"}
    page.get_by_role("link", name="Declined").first.click()
    expect(page.get_by_role("heading", level=2)).to_have_text("Declined")


def test_a_refused_event_says_why_and_the_picture_shows_the_way(sample: Site, page: Page) -> None:
    page.goto(f"{sample.url}/inquiries/{REFUSED}")
    expect(page.locator("#events .was-refused p").first).to_contain_text("Refused: the inquiry was declined already")
    expect(page.locator("#way-picture .last")).to_contain_text("declined")
    expect(page.get_by_role("img", name="The way taken: created → pending → completed → declined")).to_be_visible()


def test_two_times_are_asked_by_the_form(sample: Site, page: Page) -> None:
    page.goto(f"{sample.url}/inquiries/{TURNED}")
    declined = page.locator("#events li", has_text="inquiry.declined")
    happened = str(declined.locator("time").first.get_attribute("datetime"))
    page.get_by_label("Happened by").fill(happened)
    page.get_by_role("button", name="Look").click()
    expect(page.locator("#answer .big")).to_have_text("Declined")
    expect(page.locator("#decision .big")).to_have_text("Approved")
    assert page.get_by_label("Happened by").input_value() == happened


def test_two_times_are_asked_from_an_event(sample: Site, page: Page) -> None:
    page.goto(f"{sample.url}/inquiries/{TURNED}")
    page.locator("#events li", has_text="inquiry.created").get_by_role("link", name="State at that time").click()
    expect(page.locator("#answer .chip")).to_have_text("Created")


def test_the_ledger_shows_what_did_not_get_in(sample: Site, page: Page) -> None:
    page.goto(f"{sample.url}/ledger")
    expect(page.locator("#edge .warn dd")).to_have_text(str(sum(p.kind == "forged" for p in PLAN.deliveries)))
    expect(page.locator("#edge")).to_contain_text("No secret of this source has signed this body")
    expect(page.locator("#refused")).to_contain_text("Refused: an inquiry is created once")
    page.get_by_label("Reason", exact=True).select_option("not_json")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#quarantine tbody tr").first).to_contain_text("The body is not JSON.")
