"""The pictures of the documentation, made from the page itself. With `--screenshots` they are written to docs/images;
else only drawn, and compared in width with those that are there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from struct import unpack
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import BrowserContext, FloatRect, Locator, Page, expect

from tests.browser.site import Site
from tests.repo.tree import ROOT
from tests.sites import make_plan, stories

IMAGES = ROOT / "docs" / "images"
REFUSED = next(stories(make_plan(500), "review after the decision"))
TURNED = next(stories(make_plan(500), "approved, declined, approved again"))


class Picture(NamedTuple):
    """What is shown of which page, in which window: all that is seen of it, or one `part` of the page."""

    name: str
    path: str
    window: dict[str, Any]
    part: str | None = None


def _window(width: int, height: int, **options: Any) -> dict[str, Any]:
    return {"viewport": {"width": width, "height": height}, **options}


PICTURES = [
    Picture("inquiries", "/", _window(1280, 900)),
    Picture("inquiry", f"/inquiries/{TURNED}", _window(1280, 1180)),
    Picture("inquiry-dark", f"/inquiries/{TURNED}", _window(1280, 1180, color_scheme="dark")),
    Picture("events", f"/inquiries/{REFUSED}", _window(1280, 900), "#events"),
    Picture("ledger", "/ledger", _window(1280, 1000)),
    Picture("phone", f"/inquiries/{TURNED}", _window(360, 740, device_scale_factor=2)),
]


@pytest.fixture
def keep(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Page, str, str | None], None]:
    """Draws a picture of a page, or of a part of it, as the one of this name."""

    def draw(page: Page, name: str, part: str | None = None) -> None:
        expect(page.locator("#health")).to_have_class("good")
        folder = IMAGES if request.config.getoption("--screenshots") else tmp_path
        made = folder / f"{name}.png"
        clip = _around(page.locator(part)) if part else None
        page.screenshot(path=made, clip=clip, full_page=clip is not None, animations="disabled")
        assert _width(made) == _width(IMAGES / made.name)

    return draw


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_the_page_is_pictured(
    sample: Site,
    open_context: Callable[..., BrowserContext],
    keep: Callable[[Page, str, str | None], None],
    picture: Picture,
) -> None:
    page = open_context(**picture.window).new_page()
    page.goto(sample.url + picture.path)
    keep(page, picture.name, picture.part)


def test_what_was_known_then_is_pictured(
    sample: Site, page: Page, keep: Callable[[Page, str, str | None], None]
) -> None:
    """Before the decision came in, what is refused today was applied."""
    page.goto(f"{sample.url}/inquiries/{REFUSED}")
    page.locator("#events .was-refused").get_by_role("link", name="What was known then").click()
    expect(page.locator("#answer .big")).to_have_text("Needs review")
    expect(page.locator("#decision .big")).to_have_text("Declined")
    keep(page, "another-time", "#then")


def _around(part: Locator) -> FloatRect:
    box = part.bounding_box()
    assert box
    x, y, width, height = (box[name] for name in ("x", "y", "width", "height"))
    scrolled = part.page.evaluate("scrollY")
    return {"x": x - 20, "y": y + scrolled - 20, "width": width + 40, "height": height + 40}


def _width(path: Path) -> int:
    """Of a PNG: in its first chunk."""
    width: int = unpack(">I", path.read_bytes()[16:20])[0]
    return width
