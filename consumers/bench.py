"""Benches: what we measure, always as a ratio against a reference in the same run, always as the median of several.

Pure: the servers, the topic and the processes are given (`consumers.bootstrap`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple


class Pair(NamedTuple):
    """One paired run: ours and the reference, each as figures by name; `rate` is what is compared."""

    ours: dict[str, float]
    reference: dict[str, float]

    @property
    def ratio(self) -> float:
        """Ours to the reference."""
        return self.ours["rate"] / self.reference["rate"]


class Bench(NamedTuple):
    """One bench: its conditions, for people, and its paired runs."""

    name: str
    conditions: str
    pairs: tuple[Pair, ...]

    def to_mapping(self) -> dict[str, Any]:
        """For machines."""
        return {
            "name": self.name,
            "conditions": self.conditions,
            "runs": [{"ours": pair.ours, "reference": pair.reference, "ratio": pair.ratio} for pair in self.pairs],
            "median_ratio": median(pair.ratio for pair in self.pairs),
        }

    def to_rows(self) -> list[dict[str, str]]:
        """For people: a row a figure, a column a run, and the median."""
        named = [(side, name) for side in ("ours", "reference") for name in getattr(self.pairs[0], side)]
        rows = [_row(f"{side} {name}", [getattr(pair, side)[name] for pair in self.pairs]) for side, name in named]
        return [*rows, _row("ratio", [pair.ratio for pair in self.pairs])]


class Measurement(NamedTuple):
    """Runs that are held against a need instead of a reference."""

    name: str
    conditions: str
    runs: tuple[dict[str, float], ...]

    def to_mapping(self) -> dict[str, Any]:
        """For machines."""
        medians = {figure: median(run[figure] for run in self.runs) for figure in self.runs[0]}
        return {"name": self.name, "conditions": self.conditions, "runs": list(self.runs), "median": medians}

    def to_rows(self) -> list[dict[str, str]]:
        """For people: a row a figure, a column a run, and the median."""
        return [_row(figure, [run[figure] for run in self.runs]) for figure in self.runs[0]]


def run_pairs(
    name: str,
    conditions: str,
    runs: int,
    ours: Callable[[], dict[str, float]],
    reference: Callable[[], dict[str, float]],
    say: Callable[[str], None],
) -> Bench:
    """Run both sides in turn, so that a machine whose speed drifts drifts for both."""
    pairs: list[Pair] = []
    for number in range(1, runs + 1):
        say(f"{name}: run {number} of {runs}")
        pairs.append(Pair(reference=reference(), ours=ours()))
    return Bench(name, conditions, tuple(pairs))


def _row(figure: str, values: Sequence[float]) -> dict[str, str]:
    shown = {f"run {number}": _show(value) for number, value in enumerate(values, 1)}
    return {"figure": figure, **shown, "median": _show(median(values))}


def _show(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
