"""`explain` and `audit`: from what is decided down to the signed bytes, for one inquiry or for all."""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consumers import bootstrap
from consumers.cli.output import print_json, print_pairs, print_table, progress, say
from consumers.proof.record import Signature
from domain.errors import UsageError

if TYPE_CHECKING:
    from consumers.proof.partition import Outcome

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]

DEFAULT_SAMPLE = 1_000

#: Findings shown to people; machines get all of them.
_SHOWN = 100

_REVISIONS = ("revision", "status", "decision", "decided_at", "effective_at", "known_at", "cause_event_id", "record")
_EVENTS = ("position", "event", "occurred_at", "what it did", "notes", "event_id")
_RECORDS = ("record", "event_id", "role", "appended_at", "bytes", "sha256", "read by", "signature")
_FINDINGS = ("place", "check", "problem")


def explain(
    context: typer.Context,
    inquiry_id: Annotated[str, typer.Argument(help="The inquiry's id, inq_…")],
    as_json: AsJson = False,
) -> None:
    """Say why an inquiry is what it is, down to the signed bytes. Exit code 1 where that is not proved."""
    with bootstrap.running(context.obj) as settings, bootstrap.explainer(settings) as explain_one:
        proof = explain_one(inquiry_id)
        _say_unchecked(bootstrap.has_secrets(settings))
    if proof is None:
        say("inquiry-ledger: no such inquiry in the ledger")
        raise typer.Exit(1)
    if as_json:
        print_json(proof)
    else:
        _print_proof(proof)
    raise typer.Exit(1 if proof["findings"] else 0)


def _say_unchecked(has_secrets: bool) -> None:
    if not has_secrets:
        say("signatures are not checked: no secret is set (LEDGER_WEBHOOK_SECRET, LEDGER_SOURCES)")


def _print_proof(proof: Mapping[str, Any]) -> None:
    typer.echo(f"{proof['inquiry_id']}: {proof['sentence']}\n")
    print_pairs("current_decision", proof["decision"])
    print_table("Revisions: what a reader could see", [_place(row) for row in proof["revisions"]], _REVISIONS)
    print_table("Events, in the order in which they happened", list(map(_event, proof["events"])), _EVENTS)
    print_table("Records of the log", _records(proof["events"]), _RECORDS)
    _print_findings(proof["findings"])
    typer.echo(_verdict(proof))


def _verdict(proof: Mapping[str, Any]) -> str:
    if proof["agrees"]:
        return "The fold of these records is what the ledger has, in every column."
    return "What the ledger has is not proved: see the findings."


def _place(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "record": f"{row['topic']}-{row['partition']}@{row['offset']}"}


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    notes = {"makes the decision": event["decides"], "came late": event["is_late"]}
    return {
        **event,
        "event": event["event_name"].removeprefix("inquiry."),
        "what it did": event["sentence"],
        "notes": ", ".join(note for note, is_so in notes.items() if is_so),
    }


def _records(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a record, in the order of the events."""
    return [
        {
            **_place(record),
            "event_id": event["event_id"],
            "read by": record.get("read_by"),
            "signature": _tell_signature(record),
        }
        for event in events
        for record in event["records"]
    ]


def _tell_signature(record: Mapping[str, Any]) -> str:
    if record["lost"] is not None:
        return f"the record is {record['lost']}"
    signed_by = f" (secret {', '.join(record['signed_by'])})" if record["signed_by"] else ""
    return f"{_SIGNATURES[record['signature']]}{signed_by}"


_SIGNATURES: Mapping[Signature, str] = {
    Signature.VALID: "valid",
    Signature.INVALID: "INVALID: the secret it names did not sign these bytes",
    Signature.UNKNOWN_SECRET: "not proved: no secret that is set has signed it",
    Signature.NOT_SIGNED: "not signed",
    Signature.NOT_CHECKED: "not checked",
}


def _print_findings(findings: Sequence[Mapping[str, Any]]) -> None:
    if findings:
        print_table("Findings", findings[:_SHOWN], _FINDINGS)
    if len(findings) > _SHOWN:
        typer.echo(f"… and {len(findings) - _SHOWN} more: --json has all of them")


def audit(
    context: typer.Context,
    sample: Annotated[
        int | None, typer.Option(min=1, help=f"How many inquiries, by chance; {DEFAULT_SAMPLE} if neither is said.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every record and every row.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the ledger with the log, record by record and row by row. Exit code 1 when something is wrong."""
    if everything and sample is not None:
        raise UsageError("--sample and --all exclude each other")
    wanted = None if everything else sample or DEFAULT_SAMPLE
    began = time.monotonic()
    with bootstrap.running(context.obj, say=say) as settings:
        _say_unchecked(bootstrap.has_secrets(settings))
        with progress("audited") as reached:
            outcome = bootstrap.audit(settings, wanted, reached)
    _print_outcome(outcome, "all" if everything else "sample", time.monotonic() - began, as_json)
    raise typer.Exit(1 if outcome.findings else 0)


def _print_outcome(outcome: Outcome, scope: str, seconds: float, as_json: bool) -> None:
    findings = [finding._asdict() for finding in outcome.findings]
    counts = {"scope": scope, "records": outcome.records, "inquiries": outcome.inquiries,
              "not_compared": outcome.not_compared}  # fmt: skip
    signatures = dict(sorted(outcome.signatures.items()))
    took = {"seconds": round(seconds, 1), "peak_memory_mb": _peak_memory_mb()}
    if as_json:
        print_json({**counts, "signatures": signatures, **took, "findings": findings})
        return
    said = {f"signatures: {state}": count for state, count in signatures.items()}
    print_pairs("audit", {**counts, **said, **took, "findings": len(findings)})
    _print_findings(findings)


def _peak_memory_mb() -> float:
    """Of the largest of the processes."""
    usages = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(max(usages) / 1024, 1)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this group."""
    app.command()(explain)
    app.command()(audit)
