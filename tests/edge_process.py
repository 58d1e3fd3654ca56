"""An edge in a process of its own, for tests that send signals: `python -m tests.edge_process <seconds>`.

Its log acknowledges every so many seconds. Says where it listens; once it has stopped, how many records its log was
given, and how many of them it has not acknowledged.
"""

from __future__ import annotations

import sys
import threading

from adapters.web.server import Address, WebServer, listen
from adapters.web.webhook import EdgeLimits
from tests.edges import Edge


def main(seconds: float) -> None:
    """Serve until told to stop."""
    edge = Edge(EdgeLimits(ack_timeout_s=5.0))
    edge.appender.acknowledges = False
    server = WebServer(edge.app, listen(Address("127.0.0.1", 0, "LEDGER_EDGE_PORT")))
    sys.stdout.write(f"{server.url}\n")
    sys.stdout.flush()

    def settle() -> None:
        while not done.wait(seconds):
            edge.appender.settle()

    done = threading.Event()
    thread = threading.Thread(target=settle)
    thread.start()
    server.run()
    done.set()
    thread.join()
    sys.stdout.write(f"{len(edge.appender.log)} {len(edge.appender.pending)}\n")


if __name__ == "__main__":
    main(float(sys.argv[1]))
