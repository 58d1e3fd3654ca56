"""The tree of errors: what a caller may catch, what each says, and that none says too much."""

from __future__ import annotations

import pytest

from domain import errors
from domain.errors import PolicyError, QuarantineReason, SettingsError, Undecodable

TREE = {
    "UsageError": "LedgerError",
    "SettingsError": "UsageError",
    "PolicyError": "UsageError",
    "Refusal": "LedgerError",
    "TopicError": "Refusal",
    "PositionError": "Refusal",
    "SchemaError": "Refusal",
    "RulesError": "Refusal",
    "Unavailable": "LedgerError",
    "LogUnavailable": "Unavailable",
    "LedgerUnavailable": "Unavailable",
    "Fenced": "LedgerError",
    "Contended": "LedgerError",
    "EmbeddedError": "LedgerError",
    "Undecodable": "LedgerError",
}


def _classes() -> dict[str, type]:
    return {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}


def test_the_tree_is_the_one_drawn_at_the_top_of_the_file() -> None:
    parents = {name: kind.__mro__[1].__name__ for name, kind in _classes().items()}
    assert parents == {**TREE, "LedgerError": "Exception"}


@pytest.mark.parametrize("name", [*TREE, "LedgerError"])
def test_each_error_is_drawn_and_says_what_it_means(name: str) -> None:
    assert errors.__doc__ is not None
    assert name in errors.__doc__
    assert _classes()[name].__doc__


def test_a_settings_error_names_the_variable_and_the_problem() -> None:
    error = SettingsError("LEDGER_EDGE_PORT", "must be a number from 1 to 65535, got text")
    assert str(error) == "LEDGER_EDGE_PORT: must be a number from 1 to 65535, got text"
    assert (error.variable, error.problem) == ("LEDGER_EDGE_PORT", "must be a number from 1 to 65535, got text")


@pytest.mark.parametrize(
    ("key", "line", "text"),
    [
        ("default.completed", 2, "policy.toml, line 2: default.completed: must be text"),
        ("default.completed", None, "policy.toml: default.completed: must be text"),
        (None, 2, "policy.toml, line 2: must be text"),
        (None, None, "policy.toml: must be text"),
    ],
)
def test_a_policy_error_names_the_file_the_line_and_the_key(key: str | None, line: int | None, text: str) -> None:
    error = PolicyError("policy.toml", "must be text", key=key, line=line)
    assert str(error) == text
    assert (error.path, error.key, error.line) == ("policy.toml", key, line)


def test_a_record_is_quarantined_for_one_of_seven_reasons_the_first_that_fits() -> None:
    assert [*QuarantineReason] == [
        "too_large", "sealed", "not_json", "missing_field", "bad_time", "bad_field", "conflicting_duplicate",
    ]  # fmt: skip


@pytest.mark.parametrize("reason", QuarantineReason)
def test_what_cannot_be_decoded_carries_reason_and_detail(reason: QuarantineReason) -> None:
    error = Undecodable(reason, "data.id: a number, must be text")
    assert (error.reason, error.detail) == (reason, "data.id: a number, must be text")
    assert str(error) == f"{reason.value}: data.id: a number, must be text"
