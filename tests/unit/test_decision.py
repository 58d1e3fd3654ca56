"""The decision policy: what a status means to others, by default and as a file says."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.decision import Decision, DecisionPolicy, parse_policy
from domain.errors import PolicyError
from domain.lifecycle import Status
from tests.strategies import LAW

#: What a file may say (design section 4); the first is the default.
CHOICES = {
    "completed": ("undecided", "approved", "needs_review"),
    "failed": ("undecided", "declined", "needs_review"),
    "expired": ("undecided", "declined"),
}

#: Rows in Postgres carry this. If it moves, every ledger without a policy file must be rebuilt: mean it.
DEFAULT_VERSION = "0da2c1b58d13"

MEANINGS = [dict(zip(CHOICES, chosen, strict=True)) for chosen in product(*CHOICES.values())]


def parse(text: str) -> DecisionPolicy:
    return parse_policy(text, "policy.toml")


def section(header: str, said: dict[str, str]) -> str:
    return "\n".join([header, *(f'{key} = "{value}"' for key, value in said.items()), ""])


def decided(policy: DecisionPolicy, template: str | None = None) -> dict[str, str]:
    """What the statuses mean that are not undecided."""
    table = policy.table(template)
    return {str(status): str(table[status]) for status in (None, *Status) if table[status] != "undecided"}


THREE = {"needs_review": "needs_review", "approved": "approved", "declined": "declined"}


def test_decisions_are_the_published_words() -> None:
    assert {*Decision} == {"undecided", "approved", "declined", "needs_review"}


@pytest.mark.parametrize("template", [None, "", "itmpl_abc"])
@pytest.mark.parametrize("policy", [DecisionPolicy(), parse(""), parse("[default]\n"), parse("[template.itmpl_abc]\n")])
def test_by_default_the_three_decisioning_statuses_mean_themselves_and_all_else_undecided(
    policy: DecisionPolicy, template: str | None
) -> None:
    assert decided(policy, template) == THREE
    assert policy.version == DEFAULT_VERSION


def test_every_status_and_none_has_a_decision() -> None:
    assert set(DecisionPolicy().table(None)) == {None, *Status}


@pytest.mark.parametrize("said", MEANINGS)
def test_a_default_decides_for_all_templates(said: dict[str, str]) -> None:
    policy = parse(section("[default]", said))
    expected = {**THREE, **{key: value for key, value in said.items() if value != "undecided"}}
    assert decided(policy) == decided(policy, "itmpl_abc") == decided(policy, "tmpl_1") == expected


def test_a_template_takes_from_the_default_what_it_does_not_say() -> None:
    policy = parse('[default]\nfailed = "declined"\nexpired = "declined"\n[template.itmpl_abc]\nfailed = "undecided"\n')
    assert decided(policy, "itmpl_abc") == {**THREE, "expired": "declined"}
    assert decided(policy, "itmpl_xyz") == decided(policy) == {**THREE, "failed": "declined", "expired": "declined"}


def test_a_template_takes_from_the_default_wherever_the_default_stands_in_the_file() -> None:
    policy = parse('[template.itmpl_abc]\ncompleted = "approved"\n[default]\nexpired = "declined"\n')
    assert decided(policy, "itmpl_abc") == {**THREE, "completed": "approved", "expired": "declined"}


@pytest.mark.parametrize("template", ["itmpl_abc", "tmpl_abc", "itmpl_A1b2", "tmpl_JAZjHuAT738Q63BdgCuEJQre"])
def test_both_forms_of_a_template_id_are_known(template: str) -> None:
    policy = parse(f'[template.{template}]\ncompleted = "approved"\n')
    assert decided(policy, template) == {**THREE, "completed": "approved"}
    assert decided(policy, template + "x") == decided(policy, template[:-1]) == decided(policy) == THREE


def test_the_version_is_that_of_the_rows_in_the_field() -> None:
    assert DecisionPolicy().version == DEFAULT_VERSION


def test_each_meaning_has_a_version_of_its_own() -> None:
    versions = [
        parse(section("[default]", default) + section("[template.itmpl_abc]", said)).version
        for default, said in product(MEANINGS, MEANINGS)
    ]
    assert len(versions) == len(set(versions)) == 18 * 18
    assert versions[0] == DEFAULT_VERSION
    by_name = [parse(section(f"[template.{name}]", {"failed": "declined"})).version for name in ("tmpl_1", "tmpl_2")]
    assert len({DEFAULT_VERSION, *by_name}) == 3


A = '[template.itmpl_a]\nfailed = "declined"\n'
B = '[template.tmpl_b]\nexpired = "declined"\n'
ALL = '[default]\ncompleted = "approved"\n'

SAME = [
    ALL + A + B,
    B + A + ALL,
    f"# why\n\n{ALL}  # no step after\n\n{A}\n{B}",
    (ALL + A + B).replace("\n", "\r\n"),
    'default.completed = \'approved\'\ntemplate = {itmpl_a = {failed = "declined"}, tmpl_b = {expired = "declined"}}\n',
    ALL + 'failed = "undecided"\nexpired = "undecided"\n' + A + B + 'completed = "approved"\n',
    ALL + A + B + '[template.itmpl_like_all]\ncompleted = "approved"\n[template.itmpl_empty]\n',
]


@pytest.mark.parametrize("text", SAME)
def test_the_version_is_of_what_the_file_means_not_of_its_text(text: str) -> None:
    assert parse(text).version == parse(SAME[0]).version != DEFAULT_VERSION


@LAW
@given(st.lists(st.sampled_from(MEANINGS), min_size=4, max_size=4), st.permutations(range(4)))
def test_the_order_of_sections_and_keys_changes_nothing(said: list[dict[str, str]], order: list[int]) -> None:
    headers = ["[default]", "[template.itmpl_a]", "[template.itmpl_b]", "[template.tmpl_c]"]
    written = [section(header, meaning) for header, meaning in zip(headers, said, strict=True)]
    turned = [section(headers[n], dict(reversed(said[n].items()))) for n in order]
    assert parse("".join(turned)).version == parse("".join(written)).version


BAD_VALUES = [
    *((key, value) for key, known in CHOICES.items() for value in (*Decision, *Status) if value not in known),
    *((key, value) for key in CHOICES for value in ("", "Undecided", "undecided ", "none")),
]


@pytest.mark.parametrize(("key", "value"), dict.fromkeys((key, str(value)) for key, value in BAD_VALUES))
def test_a_value_that_the_key_does_not_know_is_an_error_with_key_and_line(key: str, value: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(f'# policy\n[default]\n\n{key} = "{value}"\n')
    assert (caught.value.path, caught.value.key, caught.value.line) == ("policy.toml", f"default.{key}", 4)


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("[default]\ncompleted = 1\n", "default.completed", 2),
        ("[default]\ncompleted = true\n", "default.completed", 2),
        ('[default]\ncompleted = ["approved"]\n', "default.completed", 2),
        ('[default.completed]\nx = "approved"\n', "default.completed", 1),
        ('[default]\ncomplete = "approved"\n', "default.complete", 2),
        ('[default]\nCompleted = "approved"\n', "default.Completed", 2),
        ('[default]\napproved = "approved"\n', "default.approved", 2),
        ('[default]\nneeds_review = "undecided"\n', "default.needs_review", 2),
        ('[default]\ncreated = "undecided"\n', "default.created", 2),
        ('completed = "approved"\n', "completed", 1),
        ('# x\n\n[defaults]\ncompleted = "approved"\n', "defaults", 3),
        ('[default]\n[templates.itmpl_abc]\ncompleted = "approved"\n', "templates", 2),
        ("default = 3\n", "default", 1),
        ("[[default]]\n", "default", 1),
        ("template = 3\n", "template", 1),
        ("[[template]]\n", "template", 1),
        ("[template]\nitmpl_abc = 3\n", "template.itmpl_abc", 2),
        ('[template]\ncompleted = "approved"\n', "template.completed", 2),
        ('[template.abc]\ncompleted = "approved"\n', "template.abc", 1),
        ('[template.itmpl_]\ncompleted = "approved"\n', "template.itmpl_", 1),
        ('[template.itmplv_abc]\ncompleted = "approved"\n', "template.itmplv_abc", 1),
        ('[template.inq_abc]\ncompleted = "approved"\n', "template.inq_abc", 1),
        ('[template."itmpl_a b"]\ncompleted = "approved"\n', "template.itmpl_a b", 1),
        ('[default]\n[template.tmpl_1]\nfailed = "approved"\n', "template.tmpl_1.failed", 3),
        ('[template.tmpl_1]\nfailed = "declined"\n[template.tmpl_2]\nfailed = "no"\n', "template.tmpl_2.failed", 4),
        ('[template.tmpl_2]\nfailed = "no"\n[template.tmpl_1]\nfailed = "declined"\n', "template.tmpl_2.failed", 2),
        ('[template.tmpl_1]\nfailed = "declined"\n[default]\nfailed = "no"\n', "default.failed", 4),
        ('[default]\nfailed = "declined"\n[template.tmpl_1]\ncomplete = "no"\n', "template.tmpl_1.complete", 4),
        ('default.failed = "no"\n', "default.failed", 1),
        ('[template]\ntmpl_1 = {failed = "no"}\n', "template.tmpl_1.failed", 2),
    ],
)
def test_each_error_names_its_key_and_its_line(text: str, key: str, line: int) -> None:
    with pytest.raises(PolicyError, match=rf"^policy\.toml, line {line}: ") as caught:
        parse(text)
    assert (caught.value.key, caught.value.line) == (key, line)
    assert key in str(caught.value)


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ('[default]\nfailed = "declined"  # not completed\ncompleted = "no"\n', "default.completed", 3),
        ('[default]\ncompleted = "undecided"  # or "approved"\napproved = "approved"\n', "default.approved", 3),
        ('[default]\nfailed = "needs_review"\nneeds_review = "undecided"\n', "default.needs_review", 3),
        ('# by default\n[template.tmpl_1]\nfailed = "declined"\n[default]\nfailed = "no"\n', "default.failed", 5),
        ('# tmpl_2 is old\n[template.tmpl_1]\nfailed = "declined"\n[template.tmpl_2]\nfailed = "no"\n',
         "template.tmpl_2.failed", 5),
    ],
)  # fmt: skip
def test_the_line_is_that_of_the_key_not_of_a_comment_or_value_that_names_it(text: str, key: str, line: int) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(text)
    assert (caught.value.key, caught.value.line) == (key, line)


@pytest.mark.parametrize(
    ("text", "line"),
    [("[default\n", 1), ("[default]\ncompleted =\n", 2), ("[default]\n\ncompleted = approved\n", 3),
     ('[default]\nfailed = "declined"\nfailed = "declined"\n', 3), ("[default]\n[default]\n", 2)],
)  # fmt: skip
def test_what_is_not_toml_is_an_error_that_says_where(text: str, line: int) -> None:
    with pytest.raises(PolicyError, match=rf"^policy\.toml.*\bline {line}\b") as caught:
        parse(text)
    assert caught.value.__cause__ is not None


def test_an_error_says_what_is_known_instead() -> None:
    with pytest.raises(PolicyError, match="completed, failed, expired"):
        parse('[default]\ncomplete = "approved"\n')
    with pytest.raises(PolicyError, match=r"undecided, declined$"):
        parse('[default]\nexpired = "needs_review"\n')
    with pytest.raises(PolicyError, match="itmpl_ or tmpl_"):
        parse("[template.abc]\n")
