"""A simulated Persona, wired."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.persona.simulator import Outcome, Plan


def make_plan(seed: int, inquiries: int, odds: Mapping[str, float]) -> Plan:
    """What a simulated Persona will send. `odds`: shares by the names of `adapters.persona.simulator.plan`."""
    from adapters.persona import simulator

    return simulator.plan(seed, inquiries, now=datetime.now(UTC), **odds)


def deliver(
    plan: Plan,
    url: str,
    secrets: Sequence[str],
    progress: Callable[[int, int], None],
    *,
    rate: float = 0,
    time_scale: float = 0,
) -> Outcome:
    """Send it, signed with `secrets`: see `adapters.persona.simulator.deliver`."""
    from adapters.persona import simulator

    return asyncio.run(
        simulator.deliver(plan, url, secrets, rate=rate, time_scale=time_scale, patience_s=1.0, progress=progress)
    )


def add_delivery(plan: Plan, body: bytes) -> tuple[Plan, str]:
    """The plan with a captured body at its end, and the inquiry it is about. Undecodable."""
    from adapters.persona.body import read_body
    from adapters.persona.simulator import Kind, Planned, Signing

    event = read_body(body).event
    planned = Planned(plan.duration_s, event.event_id, Kind.GENUINE, Signing.CURRENT, event.inquiry_id, body)
    return plan._replace(deliveries=(*plan.deliveries, planned)), event.inquiry_id
