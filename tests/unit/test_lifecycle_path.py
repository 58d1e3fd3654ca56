"""The way an inquiry took, drawn: every step taken is shown, and nothing that was not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import pytest

from adapters.persona.simulator import SCENARIOS
from consumers.lifecycle_path import draw_path, read_moves
from domain.event import order_key
from domain.inquiry import refold
from domain.lifecycle import Lifecycle, Status
from tests.builders import event, rules

SVG = "{http://www.w3.org/2000/svg}"

Row = dict[str, Any]


def history(*words: str) -> list[Row]:
    """The rows of an inquiry to which these events happened."""
    events = sorted((event(word, second) for second, word in enumerate(words)), key=order_key)
    _, steps = refold("inq_1", events, rules())
    return [step._asdict() for step in steps]


def draw(rows: Sequence[Row]) -> ElementTree.Element:
    return ElementTree.fromstring(draw_path(rows))


def texts(root: ElementTree.Element, kind: str) -> list[str]:
    """The first text of each box of this kind: its status."""
    groups = [group for group in root.iter(f"{SVG}g") if group.get("class") == f"box {kind}"]
    return [str(group.findtext(f"{SVG}text")) for group in groups]


def arrows(root: ElementTree.Element, kind: str) -> list[str]:
    return [str(path.get("d")) for path in root.iter(f"{SVG}path") if str(path.get("class")).startswith(f"{kind} ")]


def test_each_status_passed_is_marked_and_the_last_one_most() -> None:
    root = draw(history("created", "started", "completed", "approved"))
    assert texts(root, "passed") == ["created", "pending", "completed"]
    assert texts(root, "last") == ["approved"]
    assert len(arrows(root, "taken")) == 4


def test_a_box_tells_at_which_steps_it_was_reached() -> None:
    root = draw(history("created", "started", "completed", "approved", "declined", "approved"))
    numbers = [text.text for text in root.iter(f"{SVG}text") if text.get("class") == "number"]
    assert sorted(map(str, numbers)) == ["1", "2", "3", "4 · 6", "5"]


def test_what_was_refused_or_repeated_and_a_redaction_are_no_steps() -> None:
    rows = history("created", "started", "completed", "started", "completed", "redacted")
    assert [move.target for move in read_moves(rows)] == ["created", "pending", "completed"]


def test_an_inquiry_without_a_step_has_no_way() -> None:
    root = draw(history("redacted"))
    assert texts(root, "last") == texts(root, "passed") == arrows(root, "taken") == []
    assert root.findtext(f"{SVG}title") == "No step was taken yet"


def test_the_picture_says_in_words_what_it_shows() -> None:
    root = draw(history("created", "approved"))
    assert root.findtext(f"{SVG}title") == "The way taken: created → approved"
    assert root.get("aria-labelledby") == root.find(f"{SVG}title").get("id")  # type: ignore[union-attr]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_every_way_lies_within_the_picture_and_has_no_style(scenario: Any) -> None:
    words = [word.lstrip("=!#") for word in scenario.script.split() if not word.startswith("~")]
    root = draw(history(*words))
    _, top, width, height = map(float, str(root.get("viewBox")).split())
    for route in arrows(root, "taken") + arrows(root, "open"):
        points = [(float(x), float(y)) for x, y in re.findall(r"[MLC ](-?[0-9.]+) (-?[0-9.]+)", route)]
        assert all(top <= y <= top + height for _, y in points)
        assert all(0 <= x <= width for x, _ in (points[0], points[-1]))
    assert {name for element in root.iter() for name in element.attrib} & {"style", "fill", "stroke"} == set()


@pytest.mark.parametrize("cell", list(Lifecycle().cells()), ids=lambda cell: f"{cell[0]}-{cell[1]}")
def test_every_edge_can_be_drawn(cell: Any) -> None:
    _, _, step = cell
    root = draw([step._asdict()])
    assert len(arrows(root, "taken")) == (step.edge is not None)
    assert len(list(root.iter(f"{SVG}g"))) == len(Status)
