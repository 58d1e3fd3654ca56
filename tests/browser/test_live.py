"""What the projector writes is on the page at once, without a reload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.site import Site
from tests.builders import event

Serve = Callable[..., Site]


@pytest.fixture
def stays(page: Page) -> Iterator[Callable[[], None]]:
    """To be called once a page is there: at the end of the test it must be the same one."""
    yield lambda: page.evaluate("window.isTheSame = true")
    assert page.evaluate("window.isTheSame") is True


def test_a_decision_arrives(serve: Serve, page: Page, stays: Callable[[], None]) -> None:
    site = serve()
    site.project(event("created", 1), event("started", 2))
    page.goto(f"{site.url}/inquiries/inq_1")
    stays()
    site.project(event("approved", 3))
    expect(page.locator("#decision .big")).to_have_text("Approved")
    expect(page.locator("#events li")).to_have_count(3)
    expect(page.locator("#way-picture .last")).to_contain_text("approved")
    expect(page.locator("#heard")).to_have_text("This has changed just now.")
    expect(page).to_have_title("Approved: inq_1 · Inquiry ledger")


def test_an_inquiry_arrives_in_the_list_and_in_its_numbers(serve: Serve, page: Page, stays: Callable[[], None]) -> None:
    site = serve()
    page.goto(site.url)
    stays()
    site.project(event("created", 1, inquiry_id="inq_new"))
    expect(page.get_by_role("link", name="inq_new")).to_be_visible()
    expect(page.get_by_role("link", name="Undecided")).to_contain_text("1")


def test_what_comes_between_drawing_and_subscribing_is_not_missed(serve: Serve, page: Page) -> None:
    site = serve()
    site.project(event("created", 1))

    def come_late(route: Route) -> None:
        site.project(event("approved", 2))
        route.continue_()

    page.route("**/static/page.js", come_late)
    page.goto(f"{site.url}/inquiries/inq_1")
    expect(page.locator("#decision .big")).to_have_text("Approved")


def test_an_event_that_makes_no_revision_is_shown_after_a_while(
    serve: Serve, page: Page, stays: Callable[[], None]
) -> None:
    site = serve()
    site.project(event("created", 1), event("approved", 2))
    page.clock.install()
    page.goto(f"{site.url}/inquiries/inq_1")
    stays()
    site.project(event("started", 3))
    page.clock.run_for(16_000)
    expect(page.locator("#events .was-refused")).to_have_count(1)


def test_another_inquiry_does_not_disturb(serve: Serve, page: Page) -> None:
    site = serve()
    site.project(event("created", 1), event("created", 1, inquiry_id="inq_2"))
    asked: list[str] = []
    page.goto(f"{site.url}/inquiries/inq_1")
    page.on("request", lambda request: asked.append(request.url))
    site.project(event("approved", 2, inquiry_id="inq_2"))
    site.project(event("approved", 2))
    expect(page.locator("#decision .big")).to_have_text("Approved")
    assert sum(url.endswith("/inquiries/inq_1") for url in asked) == 1


def test_focus_and_what_is_being_typed_stay(serve: Serve, page: Page) -> None:
    site = serve()
    site.project(event("created", 1))
    page.goto(f"{site.url}/inquiries/inq_1")
    page.get_by_label("Happened by").fill("2026-01-02T03:04:05.006")
    page.get_by_role("link", name="State at that time").focus()
    site.project(event("started", 2))
    expect(page.locator("#events li")).to_have_count(2)
    assert page.evaluate("document.activeElement.textContent") == "State at that time"
    assert page.get_by_label("Happened by").input_value() == "2026-01-02T03:04:05.006"


def test_a_ledger_that_goes_away_and_comes_back_is_told(serve: Serve, page: Page) -> None:
    site = serve()
    site.project(event("created", 1))
    page.clock.install()
    page.goto(f"{site.url}/inquiries/inq_1")

    def fail(route: Route) -> None:
        route.fulfill(status=200, content_type="text/html", body="<p>A proxy's own page")

    page.route("**/inquiries/inq_1", fail)
    page.clock.run_for(16_000)
    expect(page.locator("#heard")).to_have_text("The ledger does not answer. This is what was known last.")
    expect(page.locator("#decision .big")).to_have_text("Undecided")
    page.unroute("**/inquiries/inq_1")
    page.clock.run_for(16_000)
    expect(page.locator("#heard")).to_have_text("")


def test_a_tab_that_nobody_sees_holds_no_connection(serve: Serve, page: Page) -> None:
    site = serve()
    site.project(event("created", 1))
    page.goto(f"{site.url}/inquiries/inq_1")
    _pretend(page, hidden=True)
    site.project(event("started", 2))
    _pretend(page, hidden=False)
    expect(page.locator("#events li")).to_have_count(2)
    site.project(event("approved", 3))
    expect(page.locator("#decision .big")).to_have_text("Approved")


def _pretend(page: Page, **hidden: Any) -> None:
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden["hidden"],
    )
