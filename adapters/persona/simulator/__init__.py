"""A Persona of our own: lifecycles from a seed, deliveries over HTTP, and the truth they must lead to."""

from adapters.persona.simulator.plan import Kind, Plan, Planned, Signing, plan
from adapters.persona.simulator.records import Draft, records
from adapters.persona.simulator.scenario import SCENARIOS, Expected, Scenario
from adapters.persona.simulator.send import NO_ANSWER, Outcome, deliver, webhook_headers

__all__ = [
    "NO_ANSWER",
    "SCENARIOS",
    "Draft",
    "Expected",
    "Kind",
    "Outcome",
    "Plan",
    "Planned",
    "Scenario",
    "Signing",
    "deliver",
    "plan",
    "records",
    "webhook_headers",
]
