"""The documentation says what the code does. What it tells a reader to type is run in `tests/integration`."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.kafka_log.decision_record import DECISIONS_SETTINGS
from adapters.kafka_log.topic import SETTINGS
from adapters.persona import simulator
from adapters.persona.simulator import Plan
from domain.decision import CHOICES
from domain.errors import QuarantineReason
from tests.repo.pages import (
    Fence,
    list_pages,
    list_sessions,
    read_anchors,
    read_fences,
    read_links,
    read_page,
    read_table,
)
from tests.repo.reference import draw_pages
from tests.repo.tree import ROOT, list_files, list_modules, parse

README = Path("README.md")
REFERENCE = Path("docs/reference")
HOW_TO = Path("docs/how-to")

#: What a fence may be; of those with commands only `console` is, so that every command is run.
KINDS = {"console", "sql", "toml", "python", "properties", "json", "text", "mermaid", "stop"}


@pytest.mark.parametrize("path", draw_pages(), ids=str)
def test_the_reference_is_in_step_with_the_code(path: Path) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == draw_pages()[path], "run `make docs`"


@pytest.mark.parametrize("page", list_pages(), ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in read_links(page):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page.parent / name).resolve() if name else ROOT / page
        assert target.exists(), f"{page}: {link}"
        assert not anchor or anchor in read_anchors(target.relative_to(ROOT)), f"{page}: {link}"


def test_every_page_is_reached_from_the_readme() -> None:
    seen, ahead = set[Path](), [ROOT / README]
    while ahead:
        page = ahead.pop()
        if page.suffix == ".md" and page not in seen:
            seen.add(page)
            links = [link.partition("#")[0] for link in read_links(page.relative_to(ROOT)) if "://" not in link]
            ahead += [(page.parent / link).resolve() for link in links if link]
    assert {ROOT / page for page in list_pages()} - seen == set()


def _fences() -> list[Fence]:
    return [fence for page in list_pages() for fence in read_fences(page)]


def test_every_fence_is_of_a_kind_that_is_checked() -> None:
    assert {fence.kind for fence in _fences()} <= KINDS


def test_no_command_is_shown_where_it_is_not_run() -> None:
    run = set(list_sessions())
    shown = [fence for fence in _fences() if fence.kind in ("console", "sql")]
    assert [f"{fence.page}:{fence.line}" for fence in shown if fence.page not in run] == []


def test_a_command_stands_in_a_console() -> None:
    assert [
        f"{fence.page}:{fence.line}" for fence in _fences() if fence.kind != "console" and "\n$ " in f"\n{fence.text}"
    ] == []


def test_every_refusal_that_is_explained_is_one_that_is_made() -> None:
    """A quoted message is cut at `…`, where values stand; each piece is a piece of a text in the code."""
    said = [piece for path in list_modules() for piece in _texts(path)]
    fences = [fence for fence in read_fences(HOW_TO / "when-it-refuses.md") if "refusal" in fence.said]
    pieces = [piece.strip() for fence in fences for piece in fence.text.split("…")]
    assert fences
    assert [piece for piece in pieces if not any(piece in text for text in said)] == []


def _texts(path: Path) -> list[str]:
    return [node.value for node in ast.walk(parse(path)) if isinstance(node, ast.Constant) and type(node.value) is str]


def test_every_reason_for_quarantine_is_explained_in_order() -> None:
    assert [row[0] for row in read_table(REFERENCE / "quarantine.md", "Reasons")] == [*QuarantineReason]


def test_the_topic_is_described_as_it_is_made() -> None:
    assert dict(read_table(REFERENCE / "record.md", "Topic")) == SETTINGS


def test_the_topic_of_decisions_is_described_as_it_is_made() -> None:
    assert dict(read_table(REFERENCE / "decisions.md", "Topic")) == DECISIONS_SETTINGS


def test_every_event_of_the_logs_is_explained() -> None:
    said = {
        word for path in list_modules() for word in re.findall(r"\blog\.\w+\(\s*\"(\w+)\"", (ROOT / path).read_text())
    }
    assert {row[0] for row in read_table(HOW_TO / "operate.md", "Logs")} == {*said, "refused"}


def test_a_policy_may_say_what_the_page_says() -> None:
    text = read_page(HOW_TO / "write-a-decision-policy.md")
    for key, choices in CHOICES.items():
        assert f"| `{key}` | {', '.join(f'`{choice}`' for choice in choices)} |" in text


@pytest.fixture(scope="module")
def plan() -> Plan:
    """What `demo` sends by default."""
    return simulator.plan(1, 500, now=datetime(2026, 1, 1, tzinfo=UTC))


def test_the_readme_shows_what_the_demo_prints(plan: Plan) -> None:
    """Stories and deliveries follow from the seed, so what is shown of them is true of every run."""
    stories = Counter(story.title for story in plan.stories.values())
    sent = Counter(planned.kind.value for planned in plan.deliveries)
    shown = dict(re.findall(r"^│ ([a-z][^│]*?) +│ (\d+) +│", read_page(README), re.MULTILINE))
    assert shown
    assert {name: int(count) for name, count in shown.items()}.items() <= {**stories, **sent}.items()


def test_the_readme_tells_what_each_folder_is_for() -> None:
    described = set(re.findall(r"^(\w+)/ ", read_page(README), re.MULTILINE))
    assert described == {path.parts[0] for path in list_files() if len(path.parts) > 1 and path.parts[0][0] != "."}


def test_the_changelog_has_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"\n## [{version}]" in read_page(Path("CHANGELOG.md"))


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(path.name[:4]) for path in list_pages() if path.parent == Path("docs/decisions"))
    assert numbers == [*range(1, len(numbers) + 1)]
