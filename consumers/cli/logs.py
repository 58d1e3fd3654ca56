"""What a process writes about itself, on stderr: lines for people on a terminal, JSON elsewhere."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs() -> None:
    """For a process that runs on. Libraries speak from ERROR on: what they warn of, we say in our words."""
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    # What a rebalance callback raises comes out of `poll` as well; there it is said in one line.
    logging.getLogger("kafka.coordinator").setLevel(logging.CRITICAL)
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # it has a level of its own
    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
    )
