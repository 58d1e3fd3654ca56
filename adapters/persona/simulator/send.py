"""Sends a plan over HTTP as Persona does: signed, with its headers, tried again until it is taken or given up."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

import httpx
from pydantic_core import from_json

from adapters.persona.signature import SIGNATURE_HEADER, sign
from adapters.persona.simulator.plan import ATTEMPT_AT, RETRY_PAUSES, Kind, Plan, Planned, Signing

#: Persona waits this long for an answer, and makes this many attempts (persona.md, section 5).
ANSWER_WITHIN_S = 5.0
MAX_ATTEMPTS = len(ATTEMPT_AT)

#: In place of a status code where no answer came.
NO_ANSWER = 0

_UNKNOWN_SECRET = "wbhsec_of-nobody"  # noqa: S105 - signs what must be refused
_ACCEPTED = frozenset({200, 201, 202, 204})


@dataclass(slots=True)
class Outcome:
    """What came of a plan.

    `statuses`: answers by status code (`NO_ANSWER` where none came in time); `answers`: the last answer of each
    delivery by (kind, status code); `never_accepted`: what was given up after 8 attempts (forged ones are tried once
    and not listed); `acks`: event id → (partition, offset); `positions`: partition → the highest offset acknowledged.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    answers: Counter[tuple[Kind, int]] = field(default_factory=Counter)
    never_accepted: list[Planned] = field(default_factory=list)
    acks: dict[str, tuple[int, int]] = field(default_factory=dict)
    positions: dict[int, int] = field(default_factory=dict)

    def accepted(self, kind: Kind) -> int:
        """How many deliveries of this kind were taken."""
        return sum(n for (of, status), n in self.answers.items() if of is kind and status in _ACCEPTED)


async def deliver(
    plan: Plan,
    url: str,
    secrets: Sequence[str],
    *,
    rate: float = 0,
    concurrency: int = 32,
    time_scale: float = 0,
    patience_s: float = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Send all deliveries in the order of the plan, at most `rate` a second (0: no limit), `concurrency` at a time.

    `secrets`: the current one first, then, where there is one, the old one. `time_scale`: real seconds for a second
    of the plan, of the time between deliveries and between attempts (0: no time passes). `patience_s`: the least real
    time between two attempts, for a receiver that is away for a moment. `progress(done, total)`.
    """
    async with AsyncExitStack() as stack:
        lanes = await _open_lanes(stack, concurrency)
        pauses = [max(pause * time_scale, patience_s) for pause in RETRY_PAUSES]
        sender = _Sender(lanes, url, secrets, pauses, lambda done: progress(done, len(plan.deliveries)))
        await sender.run(plan, rate, time_scale)
    return sender.outcome


async def _open_lanes(stack: AsyncExitStack, concurrency: int) -> asyncio.Queue[httpx.AsyncClient]:
    """A client for each connection: httpx's pool looks at all of its connections at every request, and with 32 of
    them that takes longer than the request."""
    lanes: asyncio.Queue[httpx.AsyncClient] = asyncio.Queue()
    limits, context = httpx.Limits(max_connections=1), httpx.create_ssl_context()
    for _ in range(concurrency):
        client = httpx.AsyncClient(limits=limits, verify=context, timeout=ANSWER_WITHIN_S, trust_env=False)
        lanes.put_nowait(await stack.enter_async_context(client))
    return lanes


def webhook_headers(
    secrets: Sequence[str], body: bytes, now: float, signing: Signing = Signing.CURRENT, attempts_made: int = 1
) -> dict[str, str]:
    """The headers of one delivery at `now` (unix seconds); the first attempt was made by Persona's schedule before."""
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Persona-Webhook-Attempts-Made": str(attempts_made),
        "Persona-Webhook-Attempts-Left": str(MAX_ATTEMPTS - attempts_made),
        "Persona-Webhook-First-Attempted-At": str(int(now) - ATTEMPT_AT[attempts_made - 1]),
    }
    if signing is not Signing.UNSIGNED:
        signers = {Signing.CURRENT: secrets[:1], Signing.ROTATING: secrets[:2]}.get(signing, [_UNKNOWN_SECRET])
        headers[SIGNATURE_HEADER] = " ".join(sign(secret, body, int(now)) for secret in signers)
    return headers


class _Sender:
    """The attempts under way, and what came of those that are done."""

    def __init__(
        self,
        lanes: asyncio.Queue[httpx.AsyncClient],
        url: str,
        secrets: Sequence[str],
        pauses: Sequence[float],
        report: Callable[[int], None],
    ) -> None:
        self.outcome = Outcome()
        self._lanes = lanes
        self._url = url
        self._secrets = secrets
        self._pauses = pauses
        self._report = report

    async def run(self, plan: Plan, rate: float, time_scale: float) -> None:
        begin = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, planned in enumerate(plan.deliveries):
                due = max(planned.at * time_scale, number / rate if rate else 0)
                await asyncio.sleep(max(0, begin + due - time.monotonic()))
                group.create_task(self._carry(planned, await self._lanes.get()))

    async def _carry(self, planned: Planned, lane: httpx.AsyncClient) -> None:
        """One delivery with its attempts, the first of them on `lane`."""
        made = planned.lost_attempts + 1
        status = await self._attempt(planned, made, lane)
        while status not in _ACCEPTED and made < MAX_ATTEMPTS and planned.kind is not Kind.FORGED:
            await asyncio.sleep(self._pauses[made - 1])
            made += 1
            status = await self._attempt(planned, made, await self._lanes.get())
        self.outcome.answers[planned.kind, status] += 1
        if status not in _ACCEPTED and planned.kind is not Kind.FORGED:
            self.outcome.never_accepted.append(planned)
        self._report(self.outcome.answers.total())

    async def _attempt(self, planned: Planned, attempts_made: int, lane: httpx.AsyncClient) -> int:
        try:
            return await self._post(planned, attempts_made, lane)
        finally:
            self._lanes.put_nowait(lane)

    async def _post(self, planned: Planned, attempts_made: int, lane: httpx.AsyncClient) -> int:
        headers = webhook_headers(self._secrets, planned.body, time.time(), planned.signing, attempts_made)
        try:
            answer = await lane.post(self._url, content=planned.body, headers=headers)
        except httpx.TransportError:
            status = NO_ANSWER
        else:
            status = answer.status_code
            if status in _ACCEPTED:
                self._note(answer.content)
        self.outcome.statuses[status] += 1
        return status

    def _note(self, content: bytes) -> None:
        """Take down the acknowledgement. A receiver that is not our edge may answer anything."""
        with suppress(ValueError, TypeError, KeyError):
            said: Mapping[str, object] = from_json(content)
            partition, offset = int(str(said["partition"])), int(str(said["offset"]))
            self.outcome.positions[partition] = max(offset, self.outcome.positions.get(partition, -1))
            if isinstance(said["event_id"], str):
                self.outcome.acks[said["event_id"]] = (partition, offset)
