"""The page works by keyboard alone, on a phone, in the dark, and for a screen reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.site import Site
from tests.sites import make_plan, stories

INQUIRY = next(stories(make_plan(500), "failed after completion"))
PATHS = ["/", "/?q=nobody", f"/inquiries/{INQUIRY}?as_of=2026-03-01T00:00", "/ledger"]

#: WCAG 2.1, 1.4.3 (AA): every text against what lies behind it. Gives those below 4.5, with their ratio.
_CONTRASTS = """() => {
    const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const parse = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const behind = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = parse(getComputedStyle(at).backgroundColor);
            if (colour.length < 4 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const weak = [];
    for (const element of document.querySelectorAll("body *:not(svg *):not(option)")) {
        const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
        if (!own || !element.checkVisibility()) continue;
        const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) weak.push(`${element.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
    }
    return weak;
}"""

#: Elements that stick out of the window, apart from what has a scroll bar of its own.
_TOO_WIDE = """() => [...document.querySelectorAll("body *:not(.picture *):not(.scroll *):not(.skip)")]
    .filter(element => element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 0.5)
    .filter(element => !element.closest("thead"))
    .map(element => element.outerHTML.slice(0, 100))"""

_FOCUS = """() => {
    const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
    return {
        text: (at.labels?.[0] ?? at).textContent.trim(),
        tag: at.tagName,
        isSeen: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0,
        isMarked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    };
}"""

_UNNAMED = """() => [...document.querySelectorAll("input:not([type=hidden]), select, button, a, [role=region], nav")]
    .filter(element => element.checkVisibility())
    .filter(element => !(
        element.labels?.length || element.textContent.trim() || element.getAttribute("aria-label")
    ))
    .map(element => element.outerHTML.slice(0, 100))"""


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> str:
    """Each kind of page."""
    return str(request.param)


def test_every_text_can_be_read_in_the_light_and_in_the_dark(sample: Site, page: Page, path: str) -> None:
    for scheme, is_dark in (("light", False), ("dark", True)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(sample.url + path)
        assert page.evaluate(_CONTRASTS) == []
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        assert (max(ground) < 64) is is_dark


def test_nothing_sticks_out_of_a_small_window(
    sample: Site, open_context: Callable[..., BrowserContext], path: str
) -> None:
    page = open_context(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True).new_page()
    page.goto(sample.url + path)
    for width in (360, 768):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(_TOO_WIDE) == []


def test_a_page_has_what_a_screen_reader_goes_by(sample: Site, page: Page, path: str) -> None:
    page.goto(sample.url + path)
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.get_by_role("main").count() == page.locator("h1").count() == 1
    assert page.evaluate(_UNNAMED) == []
    assert page.locator("thead th:not([scope=col]), tbody th:not([scope=row]), img:not([alt])").count() == 0
    assert page.evaluate("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size") == (
        page.locator("[id]").count()
    )


def walk(page: Page, key: str = "Tab") -> Iterator[dict[str, Any]]:
    """What has the focus after each press: always something that is seen, and marked."""
    while True:
        page.keyboard.press(key)
        at = page.evaluate(_FOCUS)
        assert at["tag"] == "BODY" or (at["isSeen"] and at["isMarked"]), at
        yield at


def test_a_search_needs_no_mouse(sample: Site, page: Page) -> None:
    page.goto(sample.url)
    steps = walk(page)
    assert next(steps)["text"] == "Skip to the content"
    page.keyboard.press("Enter")
    assert next(steps)["text"] == "Inquiry id or reference id"
    page.keyboard.type(INQUIRY)
    assert next(steps)["text"] == "Find"
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{sample.url}/inquiries/{INQUIRY}")


def test_the_time_form_needs_no_mouse(sample: Site, page: Page) -> None:
    page.goto(f"{sample.url}/inquiries/{INQUIRY}")
    steps = walk(page)
    assert any(step["text"].startswith("Happened by") for step in steps)
    page.keyboard.type("2026-03-01")
    assert any(step["text"] == "Look" for step in steps)
    page.keyboard.press("Enter")
    expect(page.locator("#answer .since")).to_contain_text("at 2026-03-01 00:00:00, by what is known today")


@pytest.mark.parametrize("at", ["/", "/ledger"])
def test_every_link_and_field_is_reached_and_left(sample: Site, page: Page, at: str) -> None:
    page.goto(f"{sample.url}{at}")
    seen = [step["tag"] for step, _ in zip(walk(page), range(25), strict=False)]
    assert set(seen) >= {"A", "SELECT", "BUTTON"} or at == "/ledger"
