"""What the read API reports, for Prometheus. Routes are templates, so nothing of a request's text is a label."""

from __future__ import annotations

import math
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.web.api.lag import Lag
from adapters.web.api.problems import STARTED
from adapters.web.api.tail import Tail

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

#: In the scope of a request that waited or streamed: how long that was says nothing of this process.
WAITED = "inquiry_ledger.waited"


class ApiMetrics:
    """The read API on a Prometheus registry."""

    def __init__(self, registry: CollectorRegistry, tail: Tail, lag: Lag) -> None:
        self._requests = Counter(
            "ledger_api_requests", "Requests by route and status", ["route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "ledger_api_request_seconds",
            "From request to answer, of those that do not wait",
            ["route"],
            registry=registry,
            buckets=_BUCKETS,
        )
        self._callbacks = Counter(
            "ledger_callbacks", "SDK callbacks, by whether the ledger agrees", ["agrees"], registry=registry
        )
        waiters = Gauge("ledger_api_waiters", "Requests that wait for a decision or a position", registry=registry)
        waiters.set_function(lambda: tail.waiters)
        streams = Gauge("ledger_api_streams", "Requests that follow the changes", registry=registry)
        streams.set_function(lambda: tail.followers)
        behind = Gauge(
            "ledger_api_lag_seconds", "How far the ledger is behind its log (NaN: not known)", registry=registry
        )
        behind.set_function(lambda: math.nan if (seconds := lag.seconds()) is None else seconds)
        self._children: dict[tuple[str, int], Counter] = {}
        self._observers: dict[str, Histogram] = {}

    def answered(self, route: str, status: int, seconds: float | None) -> None:
        """A request was answered, `seconds` after it came; None: it waited."""
        if (route, status) not in self._children:  # `labels` costs more than all else here
            self._children[route, status] = self._requests.labels(route, str(status))
            self._observers[route] = self._seconds.labels(route)
        self._children[route, status].inc()
        if seconds is not None:
            self._observers[route].observe(seconds)

    def called_back(self, *, agrees: bool) -> None:
        """An SDK callback said the same as the ledger, or something else."""
        self._callbacks.labels(str(agrees).lower()).inc()


class Measured:
    """The application, with every answer counted."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = scope[STARTED] = time.perf_counter()

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = None if WAITED in scope else time.perf_counter() - started
                route = getattr(scope.get("route"), "path", "")
                self._metrics.answered(route, message["status"], seconds)
            await send(message)

        await self._app(scope, receive, count)
