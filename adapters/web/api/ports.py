"""What the read API and the page are given."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

from prometheus_client import CollectorRegistry

from adapters.web.api.access import Access
from adapters.web.api.limits import ApiLimits
from domain.inquiry import Rules
from domain.reading import ChangeReader, DecisionReader, ViewRow


class Query(DecisionReader, ChangeReader, Protocol):
    """Everything that is read of the ledger. LedgerUnavailable, SchemaError."""

    async def decisions(self, inquiry_ids: Collection[str]) -> Sequence[ViewRow]:
        """Rows of `current_decision`, of those inquiries that are known."""

    async def books(self) -> Sequence[ViewRow]:
        """A row of `books` for each partition."""

    async def quarantine(self, reason: str | None, limit: int) -> Sequence[ViewRow]:
        """Rows of `quarantine`, in the order of the log."""

    async def counts(self) -> Sequence[ViewRow]:
        """How many inquiries have each status and decision: {status, decision, inquiries}."""

    async def refused(self, limit: int) -> Sequence[ViewRow]:
        """Rows of `inquiry_history` that the lifecycle refused, the newest first."""


@dataclass(frozen=True)
class ApiParts:
    """The collaborators of `build_api` and `build_page`."""

    #: The ledger's views.
    query: Query

    #: A new listener: yields at the start, whenever positions moved, and at least once a second.
    notices: Callable[[], AsyncIterator[None]]

    #: Inquiry id → its proof down to the signed bytes; None where the inquiry is unknown. Blocks; one at a time.
    explain: Callable[[str], Mapping[str, Any] | None]

    #: What `as_of` and `known_at` fold by.
    rules: Rules

    #: The table of the lifecycle, as JSON has it: `lifecycle_version` and `cells`.
    lifecycle: Mapping[str, Any]

    #: Partition → the offset at which the log ends. LogUnavailable, TopicError. Blocks.
    log_ends: Callable[[], Mapping[int, int]]

    #: What keeps this process from its work, for people: schema, log, topic, books. Blocks.
    find_problems: Callable[[], Sequence[str]]

    #: The topic the ledger is made of.
    topic: str

    #: Who may ask. Without tokens: everybody who reaches it under a name of this machine itself.
    access: Access = field(default_factory=lambda: Access((), time.time))

    limits: ApiLimits = field(default_factory=ApiLimits)

    #: What has to be open while the application runs, in its event loop: the pool of connections.
    connect: Callable[[], AbstractAsyncContextManager[object]] = nullcontext

    #: For the page: rows of `inquiry_history` → the way taken through the lifecycle, as SVG without a style of its own.
    draw_path: Callable[[Sequence[ViewRow]], str] = lambda history: ""

    #: For the page: what the edge has counted, as its `/metrics` says it; None where it does not answer. A forged
    #: delivery reaches no topic, so no row of the ledger shows it. Blocks for half a second at most.
    read_edge: Callable[[], str | None] = lambda: None

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    #: Unix seconds.
    clock: Callable[[], float] = time.time
