"""`explain` and `audit` as an operator runs them, on a real Kafka and a real Postgres."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner, Result

from consumers.bootstrap.proof import explainer
from consumers.cli.app import app
from domain.errors import UsageError
from tests.bodies import document, dump
from tests.integration.scene import Scene
from tests.integration.test_audit import append, execute, settings_of
from tests.proofs import SECRET, flip, receive


class Operator(NamedTuple):
    """Runs commands on a scene."""

    scene: Scene

    def run(self, *arguments: str, secret: str = SECRET) -> Result:
        said = {
            "LEDGER_KAFKA_BOOTSTRAP": self.scene.bootstrap,
            "LEDGER_DATABASE_URL": self.scene.url,
            "LEDGER_TOPIC": self.scene.topic,
            "LEDGER_WEBHOOK_SECRET": secret,
        }
        return CliRunner().invoke(app, list(arguments), env=said)

    def read(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)


@pytest.fixture
def operator(scene: Scene, in_this_process: None) -> Operator:
    """An approved inquiry; `completed` came last, and `started` was refused."""
    append(
        scene, [receive(_body(*said)) for said in (("created", 1), ("approved", 3), ("started", 4), ("completed", 2))]
    )
    scene.project()
    return Operator(scene)


def _body(name: str, second: int) -> bytes:
    made = document(attributes={"reference-id": "user-7"})
    made["data"]["id"] = f"evt_{second}"
    made["data"]["attributes"] |= {"name": f"inquiry.{name}", "created-at": f"2026-03-01T12:00:{second:02}.000Z"}
    return dump(made)


def test_explain_leads_from_the_decision_to_the_signed_bytes(operator: Operator) -> None:
    done = operator.run("explain", "inq_1")
    assert done.exit_code == 0
    assert done.stdout.startswith("inq_1: approved since 2026-03-01T12:00:03.000Z, by event evt_3\n")
    assert "refused: it was already `approved`, and `started` may not follow a decision" in done.stdout
    assert "came late" in done.stdout
    assert "valid (secret " in done.stdout
    assert "The fold of these records is what the ledger has, in every column." in done.stdout
    proof = operator.read("explain", "inq_1")
    assert proof["decision"] == operator.read("history", "inq_1")["decision"]
    assert (proof["agrees"], proof["findings"]) == (True, [])


def test_explain_works_without_a_secret_and_says_what_it_did_not_check(operator: Operator) -> None:
    done = operator.run("explain", "inq_1", secret="")
    assert done.exit_code == 0
    assert "signatures are not checked: no secret is set" in done.stderr


def test_an_unknown_inquiry_is_an_error(operator: Operator) -> None:
    done = operator.run("explain", "inq_2")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "inquiry-ledger: no such inquiry in the ledger\n"


def test_what_is_wrong_is_shown_without_a_value_and_ends_with_1(operator: Operator) -> None:
    broken = receive(_body("declined", 9))
    (place,) = append(operator.scene, [broken._replace(value=flip(broken.value, 8 * 20))])
    operator.scene.project()
    execute(operator.scene, "UPDATE ledger.inquiry SET reference_id = 'somebody', status = 'failed'")
    for arguments in (("explain", "inq_1"), ("audit", "--all"), ("audit",)):
        done = operator.run(*arguments)
        assert done.exit_code == 1
        assert place in done.stdout
        assert "not as the fold of the log: reference_id, status" in done.stdout
        assert "user-7" not in done.output
    assert "What the ledger has is not proved: see the findings." in operator.run("explain", "inq_1").stdout
    findings = operator.read("audit", "--all")["findings"]
    assert {finding["place"] for finding in findings} == {place, "current_decision inq_1"}


def test_audit_tells_what_it_looked_at(operator: Operator) -> None:
    for arguments, scope in (((), "sample"), (("--sample", "5"), "sample"), (("--all",), "all")):
        told = operator.read("audit", *arguments)
        assert (told["scope"], told["records"], told["inquiries"], told["findings"]) == (scope, 4, 1, [])
        assert told["signatures"] == {"valid": 4}
    assert "audited: 4 of 4" in operator.run("audit", "--all").stderr


def test_a_sample_of_everything_is_wrong_usage(operator: Operator) -> None:
    assert isinstance(operator.run("audit", "--all", "--sample", "5").exception, UsageError)


def test_rows_of_other_rules_are_refused(operator: Operator) -> None:
    execute(operator.scene, "UPDATE ledger.rules SET policy_version = 'other'")
    assert "audit with the LEDGER_POLICY that the ledger was made with" in str(operator.run("audit").exception)


def test_a_ledger_of_another_topic_of_the_same_name_is_refused(operator: Operator) -> None:
    execute(operator.scene, "UPDATE ledger.position SET topic_id = 'other'")
    assert "another or a recreated topic" in str(operator.run("audit").exception)


def test_the_explainer_serves_many_threads_over_one_connection(operator: Operator) -> None:
    with explainer(settings_of(operator.scene)) as explain_one, ThreadPoolExecutor(4) as pool:
        proofs = list(pool.map(explain_one, ["inq_1", "inq_2"] * 4))
    assert [proof is not None and proof["agrees"] for proof in proofs] == [True, False] * 4
