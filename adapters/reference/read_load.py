"""GET requests for inquiries, as fast as a server answers them, or at a given pace, and how long each took.

In a process of its own, so that it takes no time from the server: `python -m adapters.reference.read_load`, settings
as JSON on stdin, the measurement as JSON on stdout.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import uvloop

from adapters.reference.http_load import Load, PacedLoad, measure


def make_reads(inquiry_ids: Iterable[str], query: str = "") -> list[bytes]:
    """A request for each; `query` as it stands after the path."""
    return [
        f"GET /v1/inquiries/{inquiry_id}{query} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode()
        for inquiry_id in inquiry_ids
    ]


def main(settings: Mapping[str, Any]) -> None:
    """`url`, `ids`, `connections`, `rate` (a second; null: as fast as they are answered), `warm_up_s`, `run_s`."""
    requests, rate = make_reads(settings["ids"]), settings["rate"]
    load = Load(requests) if rate is None else PacedLoad(requests, rate)
    run = measure(load, settings["url"], settings["connections"], settings["warm_up_s"], settings["run_s"])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.write(json.dumps(runner.run(run)._asdict()))


if __name__ == "__main__":
    main(json.loads(sys.stdin.read()))
