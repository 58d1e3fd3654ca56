"""`bench`: our figures, as ratios against references that are run beside us. Takes minutes; not part of the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from consumers import bootstrap
from consumers.bench import Bench, Measurement, run_pairs
from consumers.bootstrap import Settings, benches
from consumers.cli.logs import configure_logs
from consumers.cli.output import print_json, print_table, progress, say
from consumers.cli.workers import Workers, addresses, start_all, start_api, start_edge

bench = typer.Typer(no_args_is_help=True, help="Measure ourselves against plain code in the same run. Takes minutes.")

Runs = Annotated[int, typer.Option(min=1, help="Paired runs; the median counts.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
BodyBytes = Annotated[int, typer.Option(min=200, help="Size of a body; from 16384 on the full real form of 23 KB.")]

_DURABLE = "acks=all, idempotent, zstd; fsync on, synchronous_commit on"

_PLAIN_BODY = 1_024

#: Open in a process beside those of the waiters.
_OTHER_FILES = 256


@bench.command()
def projector(
    records: Annotated[int, typer.Option(min=1000, help="Records in the topic.")] = 100_000,
    body_bytes: BodyBytes = 1024,
    mix: Annotated[float, typer.Option(min=0, max=0.9, help="Share of duplicates, and of late events.")] = 0.0,
    sample: Annotated[int, typer.Option(min=100, help="How many of them the plain consumer reads.")] = 5_000,
    runs: Runs = 3,
    as_json: AsJson = False,
) -> None:
    """Catching up with a full topic, against a plain consumer with one transaction an event."""
    with _throw_away() as said:
        with progress("filled") as filled:
            benches.fill_topic(said, records, body_bytes, mix, filled)
        conditions = (
            f"{records} records in batches of up to 256 KB, bodies of {body_bytes} bytes with headers, "
            f"{mix:.0%} duplicates and late; {_DURABLE}"
        )
        measured = run_pairs(
            "projector",
            conditions,
            runs,
            lambda: _project(said),
            lambda: benches.run_plain_consumer(said, min(sample, records)),
            say,
        )
    _print(measured, as_json)


@bench.command()
def edge(
    connections: Annotated[int, typer.Option(min=1)] = 64,
    body_bytes: BodyBytes = 1024,
    seconds: Annotated[float, typer.Option(min=1, help="Length of a run, after its warm-up.")] = 10.0,
    runs: Runs = 3,
    as_json: AsJson = False,
) -> None:
    """Receiving, against a bare Starlette that checks the signature and answers after the log's acknowledgement."""
    load = {"connections": connections, "body_bytes": body_bytes, "warm_up_s": 2.0, "run_s": seconds}
    with _throw_away() as said, Workers(None, said.data_dir) as workers, benches.bare_edge(said) as bare:
        environ = {**_environ(said), "LEDGER_WEBHOOK_SECRET": benches.SECRET}
        ours = start_edge(workers, said, environ)
        conditions = f"one process, {connections} connections, bodies of {body_bytes} bytes; {_DURABLE}"
        measured = run_pairs(
            "edge",
            conditions,
            runs,
            lambda: benches.load_edge(ours, load),
            lambda: benches.load_edge(bare, load),
            say,
        )
    _print(measured, as_json)


@bench.command()
def api(
    connections: Annotated[int, typer.Option(min=1)] = 64,
    records: Annotated[int, typer.Option(min=1000, help="Records in the topic.")] = 20_000,
    seconds: Annotated[float, typer.Option(min=1, help="Length of a run, after its warm-up.")] = 10.0,
    runs: Runs = 3,
    as_json: AsJson = False,
) -> None:
    """Reading one decision, against a bare Starlette with the same pool and one SELECT; then at half our own rate."""
    load = {"connections": connections, "warm_up_s": 2.0, "run_s": seconds}
    with _throw_away() as said, Workers(None, said.data_dir) as workers:
        with progress("filled") as filled:
            benches.fill_topic(said, records, _PLAIN_BODY, 0.0, filled)
        _project(said)
        with bootstrap.reader(said) as reader:
            ids = [row["inquiry_id"] for row in reader.view("current_decision")]
        ours = start_api(workers, said, _environ(said))
        with benches.bare_api(said) as bare:
            measured = run_pairs(
                "api",
                f"one process, {connections} connections, {len(ids)} inquiries",
                runs,
                lambda: _read(ours, ids, load),
                lambda: benches.load_api(bare, ids, None, load),
                say,
            )
    _print(measured, as_json)


def _read(url: str, ids: Sequence[str], load: Mapping[str, float]) -> dict[str, float]:
    """As fast as it answers, and then at half of that."""
    full = benches.load_api(url, ids, None, load)
    half = benches.load_api(url, ids, full["rate"] / 2, load)
    return {**full, **{f"half {figure}": value for figure, value in half.items()}}


@bench.command()
def wait(
    waiters: Annotated[int, typer.Option(min=100, help="How many wait at once.")] = 5_000,
    rate: Annotated[float, typer.Option(min=1, help="Decisions a second.")] = 200.0,
    runs: Runs = 3,
    as_json: AsJson = False,
) -> None:
    """From the edge's 200 to the answer of who waits for that decision, and what the waiters cost in memory."""
    benches.open_files(waiters + _OTHER_FILES)
    with _throw_away() as said, Workers(None, said.data_dir) as workers:
        environ = {**_environ(said), "LEDGER_WEBHOOK_SECRET": benches.SECRET}
        edge_url, api_url = start_all(workers, said, environ)
        waited = []
        for number in range(runs):
            say(f"wait: run {number + 1} of {runs}")
            load = {"first": number * waiters, "waiters": waiters, "rate": rate}
            waited.append(benches.wait_at(api_url, edge_url, load))
        peak = {"peak_memory_mb": workers.end("api")}
    conditions = f"one process, {waiters} wait at once, {rate:g} decisions a second; {_DURABLE}"
    _print(Measurement("wait", conditions, tuple({**run, **peak} for run in waited)), as_json)


@contextmanager
def _throw_away() -> Iterator[Settings]:
    """Embedded servers on throw-away data, with the topic and the schema: a bench must not meet what is real."""
    configure_logs()
    with tempfile.TemporaryDirectory(prefix="inquiry-ledger-bench-") as folder:
        said = Settings(data_dir=Path(folder), edge_port=0, api_port=0)
        with bootstrap.servers(said, say=say) as settings:
            for line in bootstrap.migrate(settings):
                say(line)
            yield settings


def _project(said: Settings) -> dict[str, float]:
    """Empty the ledger, and let a process of its own project the whole topic."""
    bootstrap.reset(said)
    environ = {**_environ(said), "LEDGER_GROUP": f"bench-{uuid.uuid4().hex}"}
    command = [sys.executable, "-m", "consumers.cli", "project", "--until-end", "--json"]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    run = json.loads(done.stdout)
    return {"rate": run["records"] / run["seconds"], "peak_memory_mb": run["peak_memory_mb"]}


def _environ(said: Settings) -> dict[str, str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    return {**others, **addresses(said)}


def _print(measured: Bench | Measurement, as_json: bool) -> None:
    if as_json:
        print_json(measured.to_mapping())
        return
    rows = measured.to_rows()
    print_table(f"{measured.name}: {measured.conditions}", rows, rows[0])


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    app.add_typer(bench, name="bench")
