"""`wait` and `at_least`: first entered with the tail, then the ledger is read, so that nothing falls in between."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.requests import Request

from adapters.web.api.limits import stand_aside
from adapters.web.api.metrics import WAITED
from adapters.web.api.parameters import Place
from adapters.web.api.patience import within
from adapters.web.api.problems import NOT_REACHED, ApiProblem, bad_parameter
from adapters.web.api.service import Service
from adapters.web.api.tail import is_decided
from domain.reading import ViewRow


class Waiting:
    """Waits for what a request asks for."""

    def __init__(self, service: Service) -> None:
        self._query = service.parts.query
        self._rows = service.rows
        self._tail = service.tail
        self._lag = service.lag

    async def until_decided(self, inquiry_id: str, timeout_s: float, request: Request) -> ViewRow | None:
        """The row once it is decided, or as it is when the time is over; None where it is unknown still."""
        with self._tail.expecting(inquiry_id) as decided:
            stand_aside(request.scope)  # already now: a thousand waiters that come at once read with one query
            row = await self._rows.read(inquiry_id)
            if row is not None and is_decided(row):
                return row
            request.scope[WAITED] = True
            row = await within(decided, timeout_s, request)
        return row or await self._rows.read(inquiry_id)

    async def until_read(self, place: Place, timeout_s: float, request: Request) -> float:
        """Return when the ledger has read this record: how many seconds are left. ApiProblem: 400, 409."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        stand_aside(request.scope)
        with self._tail.passing(*place) as passed:
            if _is_past(place, await self._positions(place.partition)):
                return timeout_s
            request.scope[WAITED] = True
            if await within(passed, timeout_s, request):
                return max(0.0, until - loop.time())
        found = await self._positions(place.partition)
        if _is_past(place, found):
            return 0.0
        raise ApiProblem(
            NOT_REACHED, position={"partition": place.partition, "next_offset": found.get(place.partition)}
        )

    async def _positions(self, partition: int) -> Mapping[int, int]:
        """Partition → next offset. A partition that neither the ledger nor the log has is refused."""
        found = {position.partition: position.next_offset for position in await self._query.positions()}
        if partition not in found and partition not in self._lag.ends:
            raise bad_parameter("at_least", "names a partition that the topic does not have")
        return found


def _is_past(place: Place, positions: Mapping[int, int]) -> bool:
    return positions.get(place.partition, 0) > place.offset
