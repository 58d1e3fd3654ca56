"""Small functions, small files (style, section "Size")."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median, quantiles

import pytest

from tests.repo.tree import ROOT, count_code_lines, functions, list_modules

MAX_FILE_LINES = 300

#: Longer files, each with the reason.
LONG_FILES: Mapping[str, str] = {}


@pytest.fixture(scope="module")
def sizes() -> dict[str, int]:
    return {f"{path}:{node.lineno} {node.name}": count_code_lines(path, node) for path, node in functions()}


def test_half_of_the_functions_have_at_most_six_lines(sizes: dict[str, int]) -> None:
    assert median(sizes.values()) <= 6


def test_nine_in_ten_functions_have_at_most_twenty_lines(sizes: dict[str, int]) -> None:
    assert quantiles(sizes.values(), n=10)[-1] <= 20


def test_no_function_has_more_than_forty_lines(sizes: dict[str, int]) -> None:
    assert {where: lines for where, lines in sizes.items() if lines > 40} == {}


def test_a_file_over_three_hundred_lines_has_a_reason() -> None:
    lines = {path.as_posix(): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in list_modules()}
    assert {path for path, count in lines.items() if count > MAX_FILE_LINES} == set(LONG_FILES)
