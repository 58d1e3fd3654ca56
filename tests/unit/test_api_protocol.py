"""The server of the read API: as many connections as the system allows files for."""

from __future__ import annotations

import resource

import pytest

from adapters.web.api.protocol import ApiProtocol, raise_file_limit

UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "raised_to", "connections"),
    [
        (1_024, 1_048_576, 10_124, 10_000),
        (1_024, UNLIMITED, 10_124, 10_000),
        (1_024, 4_096, 4_096, 3_972),
        (20_000, 1_048_576, 20_000, 10_000),
        (UNLIMITED, UNLIMITED, UNLIMITED, 10_000),
        (64, 64, 64, 1),
    ],
)
def test_a_process_opens_as_many_files_as_it_may(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised_to: int, connections: int
) -> None:
    limits = {resource.RLIMIT_NOFILE: (soft, hard)}
    monkeypatch.setattr(resource, "getrlimit", limits.__getitem__)
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    protocol = raise_file_limit()
    assert limits == {resource.RLIMIT_NOFILE: (raised_to, hard)}
    assert (protocol.max_connections, ApiProtocol.max_connections) == (connections, 10_000)


def test_five_thousand_may_wait() -> None:
    assert ApiProtocol.max_connections >= 2 * 5_000
