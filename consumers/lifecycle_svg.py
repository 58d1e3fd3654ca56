"""The lifecycle as an SVG picture: a box a status, an arrow an edge, drawn by class. Pure: cells in, text out.

An arrow's event is told by the box it leads to, which names it; so arrows need no labels, and cannot hide each other's.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from consumers.lifecycle_drawing import Cell, applied
from domain.lifecycle import TARGETS, Edge, Status

Point = tuple[float, float]

WIDTH, HEIGHT = 1200, 700
BOX_WIDTH, BOX_HEIGHT = 176, 56

#: Middle of each box. From left to right as an inquiry goes: begun, done, decided.
PLACES: dict[Status, Point] = {
    Status.CREATED: (130, 300),
    Status.PENDING: (390, 300),
    Status.COMPLETED: (670, 150),
    Status.FAILED: (670, 300),
    Status.EXPIRED: (670, 450),
    Status.APPROVED: (1030, 150),
    Status.NEEDS_REVIEW: (1030, 300),
    Status.DECLINED: (1030, 450),
}

#: The free lane between the rows of `failed` and `expired`.
_LANE = 375

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
        f'<path d="{route(source, target, edge)}" fill="none" stroke="{colour}" stroke-width="{width}" '
        f'stroke-dasharray="{dashes}" marker-end="url(#{edge})"><title>{escape(title)}</title></path>'
    )


def route(source: Status | None, target: Status, edge: Edge) -> str:
    """An arrow's path. Which sides it joins, and on which way, depends on where its boxes lie and on its class."""
    if source is None:
        return _enter(target)
    (x1, y1), (x2, y2) = PLACES[source], PLACES[target]
    if x1 == x2:
        return _beside(source, target, edge)
    if x2 < x1:
        return _curve((x1 - BOX_WIDTH / 2, y1 + 16), (x2 + 40, y2 + BOX_HEIGHT / 2), (-90, 0), (0, 90))
    if edge is Edge.SHORTCUT and y1 == y2 and x2 - x1 > 600:
        return _through_lane(source, target)
    if edge is Edge.SHORTCUT:
        return _around(source, target)
    return _forward(source, target)


def _enter(target: Status) -> str:
    """A short arrow from nowhere: drawn from the one point it comes from, eight of them would cross everything."""
    x, y = PLACES[target][0] - BOX_WIDTH / 2 + 14, PLACES[target][1] - BOX_HEIGHT / 2
    return f"M{x - 26:g} {y - 34:g}L{x:g} {y:g}"


def _forward(source: Status, target: Status) -> str:
    """From a right side to a left side. The steeper, the farther from the middle, so that ends do not meet."""
    (x1, y1), (x2, y2) = PLACES[source], PLACES[target]
    if y2 > y1 and x2 - x1 > 400:  # from the bottom, or it would pass behind a box
        return _curve((x1 + 20, y1 + BOX_HEIGHT / 2), (x2 - BOX_WIDTH / 2, y2 + 4), (40, 110), (-160, 0))
    lean = (y2 - y1) / 20
    reach = (x2 - x1 - BOX_WIDTH) * 0.5
    return _curve((x1 + BOX_WIDTH / 2, y1 + lean), (x2 - BOX_WIDTH / 2, y2 - lean * 1.4), (reach, 0), (-reach, 0))


def _around(source: Status, target: Status) -> str:
    """Over or under all boxes between, the farther the higher."""
    (x1, y1), (x2, y2) = PLACES[source], PLACES[target]
    way = 1 if y2 > y1 else -1
    near = (x2 - x1) / 26
    start, end = (x1 + near, y1 + way * BOX_HEIGHT / 2), (x2 - near, y2 + way * BOX_HEIGHT / 2)
    lift = way * (10 + (x2 - x1) * 0.2)
    return _curve(start, end, (near * 3, lift + (end[1] - start[1]) * 0.8), (-near * 3, lift))


def _through_lane(source: Status, target: Status) -> str:
    (x1, y1), (x2, y2) = PLACES[source], PLACES[target]
    lane = _LANE + (x1 - PLACES[Status.PENDING][0]) / 26
    enter, leave = x1 + 120, PLACES[Status.FAILED][0] + BOX_WIDTH / 2 + 40
    return (
        f"M{x1:g} {y1 + BOX_HEIGHT / 2:g}C{x1:g} {lane:g} {x1 + 40:g} {lane:g} {enter:g} {lane:g}H{leave:g}"
        f"C{leave + 80:g} {lane:g} {leave + 60:g} {y2 + 18:g} {x2 - BOX_WIDTH / 2:g} {y2 + 18:g}"
    )


def _beside(source: Status, target: Status, edge: Edge) -> str:
    """Between two boxes of one column: straight between neighbours, else along a side, each way on its own path."""
    (x, y1), (_, y2) = PLACES[source], PLACES[target]
    way = 1 if y2 > y1 else -1
    if abs(y2 - y1) < 200:
        return f"M{x:g} {y1 + way * BOX_HEIGHT / 2:g}L{x:g} {y2 - way * BOX_HEIGHT / 2:g}"
    side, far = (1, 62 + 22 * way) if edge is Edge.REVERSAL else (-1, 70)
    edge_x, shift = x + side * BOX_WIDTH / 2, 10 * way if side > 0 else -14
    return _curve((edge_x, y1 - shift), (edge_x, y2 + shift), (side * far, 0), (side * far, 0))


def _curve(start: Point, end: Point, bend: Point, arrive: Point) -> str:
    """A cubic; `bend` and `arrive` are its handles, seen from its two ends."""
    (x1, y1), (x2, y2) = start, end
    return f"M{x1:g} {y1:g}C{x1 + bend[0]:g} {y1 + bend[1]:g} {x2 + arrive[0]:g} {y2 + arrive[1]:g} {x2:g} {y2:g}"


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
