"""The lifecycle: every (status, event) cell, against a copy of the design's table that the code cannot reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from transitions import MachineError

from domain.lifecycle import (
    RANKS,
    REDACTED,
    TABLE,
    TARGETS,
    Edge,
    Lifecycle,
    Reason,
    Status,
    Verdict,
    ask_machine,
    build_machine,
    parse_table,
)
from tests.model import LEADS_TO, RANK, Judgement, design_cells, judge, judge_cell

DESIGN = design_cells()

#: Every word that a cell may hold.
WORDS = ("D", "S", "A", "R", "=", "created_twice", "after_outcome", "after_decision")

#: Rows in Postgres carry this. If it moves, every ledger in the field must be rebuilt: mean it.
VERSION = "c6633dfddd68"

CELLS = pytest.mark.parametrize(("status", "name"), DESIGN, ids=lambda part: part or "none")


def wrong_cells(lifecycle: Lifecycle) -> list[tuple[str | None, str]]:
    """The cells that say something else than the design."""
    return [
        (status, name)
        for (status, name), cell in DESIGN.items()
        if Judgement(*lifecycle.step(_status(status), name)) != judge_cell(cell, status, name)
    ]


def _status(status: str | None) -> Status | None:
    return None if status is None else Status(status)


def _rewrite(row: int, column: int, word: str) -> str:
    """The table with another word in one cell; row and column 0 are the names."""
    lines = [line.split() for line in TABLE.strip().splitlines()]
    lines[row][column] = word
    return _draw(lines)


def _draw(lines: list[list[str]]) -> str:
    return "\n".join(" ".join(words) for words in lines)


def _words() -> list[list[str]]:
    return [line.split() for line in TABLE.strip().splitlines()]


def mutants() -> Iterator[tuple[tuple[str | None, str], str]]:
    """Each cell with each word that is not its own, and the table that says so."""
    header, *lines = _words()
    for row, line in enumerate(lines, 1):
        for column, word in enumerate(line[1:], 1):
            cell = (None if line[0] == "none" else line[0], f"inquiry.{header[column]}")
            yield from ((cell, _rewrite(row, column, other)) for other in WORDS if other != word)


def test_the_copy_of_the_design_is_whole() -> None:
    kinds = Counter(cell.removeprefix("✗ ") for cell in DESIGN.values())
    assert kinds == {
        "D": 17, "S": 11, "A": 7, "R": 2, "=": 8, "created_twice": 5, "after_outcome": 10, "after_decision": 12,
    }  # fmt: skip
    assert len(DESIGN) == 72


def test_there_are_eight_statuses_and_eight_events_that_move() -> None:
    assert [*Status] == ["created", "pending", "completed", "failed", "expired", "needs_review", "approved", "declined"]
    assert dict(TARGETS) == LEADS_TO
    assert REDACTED == "inquiry.redacted"


def test_verdicts_edges_and_reasons_are_the_published_words() -> None:
    assert {*Verdict} == {"applied", "repeated", "refused"}
    assert {*Edge} == {"documented", "shortcut", "adopted", "reversal", "redaction"}
    assert {*Reason} == {"created_twice", "after_outcome", "after_decision"}


@CELLS
def test_each_cell_says_what_the_design_says(status: str | None, name: str) -> None:
    step = Lifecycle().step(_status(status), name)
    assert Judgement(*step) == judge_cell(DESIGN[status, name], status, name)


def test_an_applied_event_leads_to_the_status_of_its_own_name_and_all_others_stay() -> None:
    for status, name, step in Lifecycle().cells():
        expected = LEADS_TO[name] if step.verdict is Verdict.APPLIED else status
        assert (step.from_status, step.to_status) == (status, expected)


def test_only_applied_events_have_an_edge_and_only_refused_ones_a_reason() -> None:
    for _, _, step in Lifecycle().cells():
        assert (step.edge is not None) is (step.verdict is Verdict.APPLIED)
        assert (step.reason is not None) is (step.verdict is Verdict.REFUSED)


def test_cells_are_all_72_and_each_once() -> None:
    listed = [(status, name) for status, name, _ in Lifecycle().cells()]
    assert len(listed) == 72
    assert set(listed) == set(DESIGN)


@CELLS
def test_the_machine_and_the_compiled_lookup_agree(status: str | None, name: str) -> None:
    machine = build_machine(parse_table(TABLE))
    step = Lifecycle().step(_status(status), name)
    if step.verdict is Verdict.REFUSED:
        with pytest.raises(MachineError):
            ask_machine(machine, _status(status), name)
    else:
        assert ask_machine(machine, _status(status), name) == step.to_status


def test_the_machine_has_the_rows_of_the_table_and_no_other() -> None:
    machine = build_machine(parse_table(TABLE))
    rows = {
        (source, name): moves for name, event in machine.events.items() for source, moves in event.transitions.items()
    }
    assert set(machine.events) == set(LEADS_TO), "auto transitions would add to_<status> from everywhere"
    assert {key for key, moves in rows.items() if moves} == {
        (status or "none", name) for (status, name), cell in DESIGN.items() if not cell.startswith("✗")
    }
    assert {len(moves) for moves in rows.values() if moves} == {1}, "a doubled row is accepted in silence"
    assert set(machine.states) == {"none", *Status}
    assert machine.models == []


def test_asking_the_machine_leaves_no_model_behind() -> None:
    machine = build_machine(parse_table(TABLE))
    ask_machine(machine, None, "inquiry.created")
    with pytest.raises(MachineError):
        ask_machine(machine, Status.APPROVED, "inquiry.created")
    assert machine.models == []


@pytest.mark.parametrize(
    "name", ["inquiry.redacted", "inquiry.transitioned", "inquiry.resumed", "created", "to_created", ""]
)
def test_a_name_that_moves_nothing_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError):
        Lifecycle().step(Status.PENDING, name)
    with pytest.raises(KeyError):
        ask_machine(build_machine(parse_table(TABLE)), Status.PENDING, name)


@pytest.mark.parametrize("redacted", [False, True])
@pytest.mark.parametrize("status", [None, *Status])
def test_a_redaction_moves_nothing_and_a_second_one_is_repeated(status: Status | None, redacted: bool) -> None:
    step = Lifecycle().redact(status, again=redacted)
    assert Judgement(*step) == judge(status, "inquiry.redacted", redacted=redacted)


def test_each_wrong_word_in_each_cell_is_caught() -> None:
    assert wrong_cells(Lifecycle()) == []
    caught = 0
    for cell, table in mutants():
        assert wrong_cells(Lifecycle(table)) == [cell]
        caught += 1
    assert caught == 72 * 7


def test_the_version_changes_with_each_cell() -> None:
    versions = [Lifecycle(table).version for _, table in mutants()]
    assert len({VERSION, *versions}) == 1 + 72 * 7


def test_the_version_is_that_of_the_rows_in_the_field() -> None:
    assert Lifecycle().version == VERSION


def test_the_version_is_of_what_the_table_says_not_of_how_it_is_drawn() -> None:
    header, *lines = _words()
    turned = [[line[0], *reversed(line[1:])] for line in (header, *reversed(lines))]
    assert Lifecycle("\n\n" + _draw(turned).replace(" ", "     ") + "\n").version == VERSION


def _without_row(row: int) -> str:
    return _draw([line for number, line in enumerate(_words()) if number != row])


def _without_column(column: int) -> str:
    return _draw([line[:column] + line[column + 1 :] for line in _words()])


@pytest.mark.parametrize("row", range(10))
def test_a_table_without_one_of_its_rows_is_refused(row: int) -> None:
    with pytest.raises(ValueError):
        Lifecycle(_without_row(row))


@pytest.mark.parametrize("column", range(1, 9))
def test_a_table_without_one_of_its_columns_is_refused(column: int) -> None:
    with pytest.raises(ValueError):
        Lifecycle(_without_column(column))


@pytest.mark.parametrize("row", range(1, 10))
def test_a_doubled_row_is_refused(row: int) -> None:
    lines = _words()
    with pytest.raises(ValueError):
        Lifecycle(_draw([*lines, lines[row]]))


def test_a_row_doubled_in_the_place_of_another_is_refused() -> None:
    lines = _words()
    with pytest.raises(ValueError):
        Lifecycle(_draw([*lines[:9], lines[1]]))


def test_a_doubled_column_is_refused() -> None:
    with pytest.raises(ValueError):
        Lifecycle(_draw([[*line, line[-1]] for line in _words()]))


@pytest.mark.parametrize(
    ("row", "column", "word"),
    [(3, 2, "X"), (3, 2, "d"), (3, 2, "refused"), (3, 2, "✗"), (3, 0, "redacted"), (3, 0, "Pending"),
     (0, 3, "complete"), (0, 3, "redacted"), (0, 6, "needs_review")],
)  # fmt: skip
def test_an_unknown_word_is_refused(row: int, column: int, word: str) -> None:
    with pytest.raises(ValueError):
        Lifecycle(_rewrite(row, column, word))


@pytest.mark.parametrize("more", [["D"], []])
def test_a_row_with_a_cell_too_many_or_too_few_is_refused(more: list[str]) -> None:
    lines = _words()
    lines[4] = [*lines[4][: 9 if more else 8], *more]
    with pytest.raises(ValueError):
        Lifecycle(_draw(lines))


@pytest.mark.parametrize("table", ["", "\n", "from created"])
def test_an_empty_table_is_refused(table: str) -> None:
    with pytest.raises(ValueError):
        Lifecycle(table)


def test_the_ranks_are_those_of_the_design() -> None:
    assert dict(RANKS) == RANK
