"""The lifecycle table as Markdown, as a Mermaid diagram, and as one line a cell. Pure: cells in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from domain.lifecycle import Edge, Status, Step, Verdict

Cell = tuple[Status | None, str, Step]

_MARKS = {Edge.DOCUMENTED: "D", Edge.SHORTCUT: "S", Edge.ADOPTED: "A", Edge.REVERSAL: "R"}

LEGEND = (
    "D documented · S shortcut (API, workflow, member, or a resume, which has no event) · A adopted (our first sight "
    "of an inquiry) · R reversal · = repeated · ✗ refused, with the reason"
)


def draw_markdown(cells: Iterable[Cell]) -> str:
    """A row a status, a column an event."""
    rows: dict[str, list[str]] = {}
    names: list[str] = []
    for status, name, step in cells:
        rows.setdefault(_state(status), []).append(_mark(step))
        if short(name) not in names:
            names.append(short(name))
    header = ["from ＼ event", *names]
    lines = [header, ["---"] * len(header), *([state, *marks] for state, marks in rows.items())]
    return "\n".join(_markdown_row(line) for line in lines)


def draw_mermaid(cells: Iterable[Cell]) -> str:
    """Every edge, with its event; what is repeated or refused is left out."""
    edges = [
        f"    {_node(step.from_status)} --> {_node(step.to_status)}: {short(name)} ({step.edge})"
        for _, name, step in applied(cells)
    ]
    return "\n".join(["stateDiagram-v2", "    direction LR", *edges])


def draw_lines(cells: Iterable[Cell]) -> str:
    """One line a cell, aligned, to grep in."""
    return "\n".join(
        f"{_state(status):<13} {name:<26} {step.verdict:<9} {_why(step):<15} {_state(step.to_status)}"
        for status, name, step in cells
    )


def to_mapping(cell: Cell) -> dict[str, str | None]:
    """A cell for machines; the keys are the columns of `inquiry_history`."""
    status, name, step = cell
    return {
        "from_status": status,
        "event_name": name,
        "verdict": step.verdict,
        "edge": step.edge,
        "reason": step.reason,
        "to_status": step.to_status,
    }


def applied(cells: Iterable[Cell]) -> list[Cell]:
    """The cells that are edges."""
    return [cell for cell in cells if cell[2].verdict is Verdict.APPLIED]


def short(name: str) -> str:
    """An event's name without its family."""
    return name.removeprefix("inquiry.")


def _mark(step: Step) -> str:
    if step.verdict is Verdict.REPEATED:
        return "="
    return _MARKS[step.edge] if step.edge else f"✗ {step.reason}"


def _why(step: Step) -> str:
    return step.edge or step.reason or "-"


def _markdown_row(words: Sequence[str]) -> str:
    return f"| {' | '.join(words)} |"


def _state(status: Status | None) -> str:
    return "none" if status is None else status.value


def _node(status: Status | None) -> str:
    return "[*]" if status is None else status.value
