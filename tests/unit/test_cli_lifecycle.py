"""The lifecycle drawn: every drawing shows the whole table, and nothing that is not in it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from consumers.lifecycle_drawing import LEGEND, applied, draw_lines, draw_markdown, draw_mermaid, short, to_mapping
from consumers.lifecycle_svg import BOX_HEIGHT, BOX_WIDTH, HEIGHT, PLACES, WIDTH, draw_svg
from domain.lifecycle import TABLE, Lifecycle, Status

CELLS = list(Lifecycle().cells())
SVG = "{http://www.w3.org/2000/svg}"


def test_the_markdown_table_has_each_cell_of_the_table() -> None:
    _, *drawn = draw_markdown(CELLS).replace("✗ ", "").splitlines()[1:]
    rows = [[word.strip() for word in line.strip("|").split("|")] for line in drawn]
    assert rows == [line.split() for line in TABLE.strip().splitlines()[1:]]


def test_the_markdown_table_names_each_event() -> None:
    header = draw_markdown(CELLS).splitlines()[0]
    assert [word.strip() for word in header.strip("|").split("|")[1:]] == TABLE.split()[1:9]


def test_every_mark_is_explained() -> None:
    assert all(f"{mark} " in LEGEND for mark in "DSAR=✗")


def test_the_diagram_has_each_edge_once() -> None:
    drawn = re.findall(r"(\S+) --> (\S+): (\S+) \((\w+)\)", draw_mermaid(CELLS))
    assert sorted(drawn) == sorted(
        (step.from_status or "[*]", step.to_status or "[*]", short(name), step.edge or "")
        for _, name, step in applied(CELLS)
    )


def test_the_lines_have_each_cell() -> None:
    lines = draw_lines(CELLS).splitlines()
    assert len(lines) == len(CELLS) == 72
    assert lines[-2].split() == ["declined", "inquiry.approved", "applied", "reversal", "approved"]


def test_a_cell_for_machines_has_the_columns_of_the_history() -> None:
    assert to_mapping(CELLS[0]) == {
        "from_status": None,
        "event_name": "inquiry.created",
        "verdict": "applied",
        "edge": "documented",
        "reason": None,
        "to_status": "created",
    }


def test_the_picture_is_well_formed_and_has_a_box_for_each_status() -> None:
    root = ElementTree.fromstring(draw_svg(CELLS))
    texts = {text.text for text in root.iter(f"{SVG}text")}
    assert set(Status) <= texts
    assert set(PLACES) == set(Status)


def test_the_picture_has_each_edge_once_in_the_style_of_its_class() -> None:
    root = ElementTree.fromstring(draw_svg(CELLS))
    arrows = [path for path in root.iter(f"{SVG}path") if path.find(f"{SVG}title") is not None]
    titles = [path.findtext(f"{SVG}title") for path in arrows]
    assert sorted(map(str, titles)) == sorted(
        f"{step.from_status or 'none'} → {step.to_status} ({step.edge})" for _, _, step in applied(CELLS)
    )
    assert all(path.get("marker-end", "")[5:-1] in str(path.findtext(f"{SVG}title")) for path in arrows)


def test_no_two_arrows_lie_upon_each_other() -> None:
    root = ElementTree.fromstring(draw_svg(CELLS))
    routes = [path.get("d") for path in root.iter(f"{SVG}path") if path.find(f"{SVG}title") is not None]
    assert len(set(routes)) == len(routes)


@pytest.mark.parametrize("status", Status)
def test_a_box_is_inside_the_picture_and_covers_no_other(status: Status) -> None:
    x, y = PLACES[status]
    assert BOX_WIDTH / 2 <= x <= WIDTH - BOX_WIDTH / 2
    assert BOX_HEIGHT / 2 <= y <= HEIGHT - BOX_HEIGHT / 2
    for other, (x2, y2) in PLACES.items():
        assert other is status or abs(x - x2) > BOX_WIDTH or abs(y - y2) > BOX_HEIGHT
