"""The server's protocol as the read API needs it: thousands of connections that wait, and no patience with a client
that does not read what it asked for.
"""

from __future__ import annotations

import asyncio
import resource

from adapters.web.protocol import BoundedProtocol

#: Files that are no connections: the pool, the broker, libraries.
_OTHER_FILES = 124


class ApiProtocol(BoundedProtocol):
    """One connection."""

    #: Of one process, where the system allows it as many files (`raise_file_limit`).
    max_connections = 10_000

    #: How long a client may not read while the buffers of both sides are full. Then it is cut off: what it would still
    #: get is held in memory, and an event stream would wait for it for ever.
    read_within_s = 10.0

    _full: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """The buffers are full."""
        super().pause_writing()
        self._full = self.loop.call_later(self.read_within_s, self.transport.abort)

    def resume_writing(self) -> None:
        """They are not any more."""
        super().resume_writing()
        self._read_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """The server's, and nothing to wait for any more."""
        self._read_on()
        super().connection_lost(exc)

    def _read_on(self) -> None:
        if self._full is not None:
            self._full.cancel()
            self._full = None


def raise_file_limit() -> type[ApiProtocol]:
    """Let this process open as many files as it may, and return the protocol for so many connections."""
    wanted = ApiProtocol.max_connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    room = max(1, allowed - _OTHER_FILES)
    return type("ApiProtocol", (ApiProtocol,), {"max_connections": room})
