"""The lifecycle as an SVG picture: a box a status, an arrow an edge, drawn by class. Pure: cells in, text out.

An arrow's event is told by the box it leads to, which names it; so arrows need no labels, and cannot hide each other's.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from consumers.cli.lifecycle_drawing import Cell, applied
from domain.lifecycle import TARGETS, Edge, Status

Point = tuple[float, float]

WIDTH, HEIGHT = 1240, 660
BOX_WIDTH, BOX_HEIGHT = 170, 56

#: Middle of each box. From left to right as an inquiry goes: begun, done, in review, decided.
PLACES: dict[Status, Point] = {
    Status.CREATED: (135, 300),
    Status.PENDING: (400, 300),
    Status.COMPLETED: (650, 150),
    Status.FAILED: (650, 300),
    Status.EXPIRED: (650, 450),
    Status.NEEDS_REVIEW: (880, 300),
    Status.APPROVED: (1120, 200),
    Status.DECLINED: (1120, 400),
}

_STYLES: dict[Edge, tuple[str, str, str]] = {
    Edge.DOCUMENTED: ("#1f2937", "1.8", "none"),
    Edge.SHORTCUT: ("#2563eb", "1.3", "6 4"),
    Edge.ADOPTED: ("#6b7280", "1.3", "2 3"),
    Edge.REVERSAL: ("#c2410c", "1.8", "none"),
}

_MEANINGS: dict[Edge, str] = {
    Edge.DOCUMENTED: "documented",
    Edge.SHORTCUT: "shortcut: API, workflow, member, or a resume, which has no event",
    Edge.ADOPTED: "adopted: our first sight of an inquiry",
    Edge.REVERSAL: "reversal",
}


def draw_svg(cells: Iterable[Cell]) -> str:
    """The whole picture. What is repeated or refused is not drawn."""
    edges = [(step.from_status, step.to_status, step.edge) for _, _, step in applied(cells)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        "<title>Inquiry lifecycle</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        *(_marker(edge) for edge in _STYLES),
        *(_arrow(source, target, edge) for source, target, edge in sorted(edges, key=_depth) if target and edge),
        *(_box(status) for status in PLACES),
        *(_legend(row, edge) for row, edge in enumerate(_STYLES)),
        "</svg>",
    ]
    return "\n".join(parts)


def _depth(edge: tuple[Status | None, Status | None, Edge | None]) -> int:
    """Shortcuts lie under what is documented."""
    return [Edge.ADOPTED, Edge.SHORTCUT, Edge.DOCUMENTED, Edge.REVERSAL].index(edge[2] or Edge.ADOPTED)


def _marker(edge: Edge) -> str:
    colour = _STYLES[edge][0]
    return (
        f'<marker id="{edge}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L10 5L0 10z" fill="{colour}"/></marker>'
    )


def _arrow(source: Status | None, target: Status, edge: Edge) -> str:
    colour, width, dashes = _STYLES[edge]
    title = f"{source or 'none'} → {target} ({edge})"
    return (
        f'<path d="{_route(source, target, edge)}" fill="none" stroke="{colour}" stroke-width="{width}" '
        f'stroke-dasharray="{dashes}" marker-end="url(#{edge})"><title>{escape(title)}</title></path>'
    )


def _route(source: Status | None, target: Status, edge: Edge) -> str:
    """A cubic curve; which sides it joins depends on where the boxes lie."""
    if source is None:
        return _enter(target)
    (x1, _), (x2, _) = PLACES[source], PLACES[target]
    if x1 == x2:
        return _beside(source, target, right=edge is Edge.REVERSAL)
    if x2 < x1:
        return _curve(_side(source, -1, 14), _side(target, 0, 1), bend=(-60, 0), arrive=(0, 80))
    if edge is Edge.SHORTCUT and x2 - x1 > 300:
        return _around(source, target)
    return _forward(source, target)


def _enter(target: Status) -> str:
    """A short arrow from nowhere: drawn from the one point it comes from, seven of them would cross everything."""
    x, y = PLACES[target][0] - BOX_WIDTH / 2 + 18, PLACES[target][1] - BOX_HEIGHT / 2
    return f"M{x - 26:g} {y - 34:g}L{x:g} {y:g}"


def _forward(source: Status, target: Status) -> str:
    lean = _lean(source, target)
    reach = (PLACES[target][0] - PLACES[source][0] - BOX_WIDTH) * 0.55
    return _curve(_side(source, 1, 9 * lean), _side(target, -1, -7 * lean), bend=(reach, 0), arrive=(-reach, 0))


def _lean(source: Status, target: Status) -> float:
    """-2 … 2: how far up or down an arrow goes, so that arrows of one side do not begin or end at one point."""
    return max(-2.0, min(2.0, (PLACES[target][1] - PLACES[source][1]) / 80))


def _around(source: Status, target: Status) -> str:
    """Over or under the boxes between, the higher the farther."""
    (x1, y1), (x2, y2) = PLACES[source], PLACES[target]
    way = 1 if y2 > y1 else -1
    lift = way * (60 + abs(x2 - x1) * 0.33)
    start = (x1 + (x2 - x1) / 25, y1 + way * BOX_HEIGHT / 2)
    end = (x2 - (x2 - x1) / 25, y2 + way * BOX_HEIGHT / 2)
    return _curve(start, end, bend=((x2 - x1) * 0.15, lift), arrive=(-(x2 - x1) * 0.15, lift))


def _beside(source: Status, target: Status, *, right: bool) -> str:
    """Between two boxes of one column, along their right or left sides; two ways apart from each other."""
    down = PLACES[target][1] > PLACES[source][1]
    side, far = (1, 70 if down else 35) if right else (-1, 45)
    offset = 10 if down == right else -10
    start, end = _side(source, side, 10 if down else -10), _side(target, side, offset if right else 18)
    return _curve(start, end, bend=(side * far, 0), arrive=(side * far, 0))


def _side(status: Status, side: int, offset: float) -> Point:
    """A point on a box: of its left (-1) or right (1) side, `offset` below the middle; 0: of its top or bottom."""
    x, y = PLACES[status]
    return (x, y + offset * BOX_HEIGHT / 2) if side == 0 else (x + side * BOX_WIDTH / 2, y + offset)


def _curve(start: Point, end: Point, *, bend: Point, arrive: Point) -> str:
    (x1, y1), (x2, y2) = start, end
    return (
        f"M{x1:g} {y1:g}C{x1 + bend[0]:g} {y1 + bend[1]:g} {x2 + arrive[0]:g} {y2 + arrive[1]:g} {x2:g} {y2:g}"
    )


def _box(status: Status) -> str:
    x, y = PLACES[status]
    event = next(name for name, target in TARGETS.items() if target is status)
    left, top = x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="9" fill="#f8fafc" '
        f'stroke="#1f2937" stroke-width="1.6"/>'
        f'<text x="{x:g}" y="{y - 3:g}" font-size="18" font-weight="bold" text-anchor="middle">{status}</text>'
        f'<text x="{x:g}" y="{y + 17:g}" font-size="12" fill="#4b5563" text-anchor="middle">{event}</text>'
    )


def _legend(row: int, edge: Edge) -> str:
    colour, width, dashes = _STYLES[edge]
    y = HEIGHT - 92 + row * 22
    return (
        f'<path d="M40 {y}L110 {y}" stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dashes}" '
        f'marker-end="url(#{edge})"/><text x="124" y="{y + 5}" font-size="14">{_MEANINGS[edge]}</text>'
    )
