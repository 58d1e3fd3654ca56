"""The way one inquiry took through the lifecycle, as an SVG picture for a page. Pure: rows of its history in, text out.

It has classes and no colours: the page's style sheet gives it those of the light or the dark scheme, and a strict
Content-Security-Policy lets no style into it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from consumers.lifecycle_drawing import applied
from consumers.lifecycle_svg import BOX_HEIGHT, BOX_WIDTH, PLACES, WIDTH, route
from domain.lifecycle import Edge, Lifecycle, Status

#: The part of the picture where boxes and documented edges are; the ways around them go beyond it.
_TOP, _BOTTOM = 70, 500

_MARGIN = 12
_POINT = re.compile(r"[MLC ](-?[0-9.]+) (-?[0-9.]+)")


class Move(NamedTuple):
    """One step that led to another status."""

    source: Status | None
    target: Status
    edge: Edge


def read_moves(history: Iterable[Mapping[str, Any]]) -> list[Move]:
    """The moves among rows of `inquiry_history`; what was refused, repeated or a redaction led nowhere."""
    return [
        Move(Status(row["from_status"]) if row["from_status"] else None, Status(row["to_status"]), Edge(row["edge"]))
        for row in history
        if row["edge"] and row["to_status"] and row["from_status"] != row["to_status"]
    ]


def draw_path(history: Iterable[Mapping[str, Any]]) -> str:
    """Every documented edge faintly, the edges taken strongly, each box with the numbers of the steps that led there,
    and the last one marked."""
    moves = read_moves(history)
    top, bottom = _extent(moves)
    parts = [
        f'<svg class="lifecycle" viewBox="0 {top:g} {WIDTH} {bottom - top:g}" role="img" '
        f'aria-labelledby="way" xmlns="http://www.w3.org/2000/svg">',
        f'<title id="way">{_tell(moves)}</title>',
        _marker("way-open"),
        _marker("way-taken"),
        *(_arrow(move, "open") for move in _documented() if move not in moves),
        *(_arrow(move, "taken") for move in dict.fromkeys(moves)),
        *_boxes(moves),
        "</svg>",
    ]
    return "\n".join(parts)


def _extent(moves: Iterable[Move]) -> tuple[float, float]:
    """From which y to which: a curve stays between its points and its handles."""
    heights = [float(y) for move in moves for _, y in _POINT.findall(route(*move))]
    return min([_TOP, *(y - _MARGIN for y in heights)]), max([_BOTTOM, *(y + _MARGIN for y in heights)])


@cache
def _documented() -> tuple[Move, ...]:
    """Once a process: to compile the table takes longer than all else of a page."""
    return tuple(
        Move(status, step.to_status, step.edge)
        for status, _, step in applied(Lifecycle().cells())
        if step.edge is Edge.DOCUMENTED and step.to_status
    )


def _tell(moves: Sequence[Move]) -> str:
    """The picture in words."""
    return "The way taken: " + " → ".join(move.target for move in moves) if moves else "No step was taken yet"


def _marker(name: str) -> str:
    return (
        f'<marker id="{name}" class="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="11" markerHeight="11" '
        'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L10 5L0 10z"/></marker>'
    )


def _arrow(move: Move, kind: str) -> str:
    return f'<path class="{kind} {move.edge}" d="{route(*move)}" marker-end="url(#way-{kind})"/>'


def _boxes(moves: Sequence[Move]) -> Iterator[str]:
    for status in PLACES:
        steps = [number for number, move in enumerate(moves, 1) if move.target is status]
        is_last = bool(steps) and steps[-1] == len(moves)
        yield _box(status, steps, "last" if is_last else "passed" if steps else "open")


def _box(status: Status, steps: Sequence[int], kind: str) -> str:
    x, y = PLACES[status]
    left, top = x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2
    box = f'<rect x="{left:g}" y="{top:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="9"/>'
    name = f'<text x="{x:g}" y="{y + 7:g}">{status}</text>'
    return f'<g class="box {kind}">{box}{name}{_badge(left + BOX_WIDTH, top, steps) if steps else ""}</g>'


def _badge(x: float, y: float, steps: Sequence[int]) -> str:
    """The steps' numbers at a corner; of many the first and the last."""
    text = " · ".join(map(str, steps)) if len(steps) < 4 else f"{steps[0]} … {steps[-1]}"
    width = 14 + 10 * len(text)
    return (
        f'<rect class="badge" x="{x - width + 8:g}" y="{y - 15:g}" width="{width}" height="28" rx="14"/>'
        f'<text class="number" x="{x - width / 2 + 8:g}" y="{y + 6:g}">{text}</text>'
    )
