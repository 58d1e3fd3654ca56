"""A real Chromium, and the page over a real Postgres. Every page that a test looks at must be free of errors."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import psycopg
import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.ledger.notice import notices
from adapters.ledger.query import LedgerQuery
from adapters.ledger.write import PostgresLedger
from adapters.web.api.app import build_api
from tests.browser.site import Site
from tests.sites import PARTITIONS, TOPIC, count_at_edge, fill, make_plan, parts_over

#: Nothing that a browser does by itself: no network but ours, no sandbox (a container's root has none).
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The pictures of the documentation change only when somebody asks for it."""
    parser.addoption("--screenshots", action="store_true", help="write docs/images anew")


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Debian's. Of this package alone: Playwright keeps an event loop in this thread."""
    path = shutil.which("chromium")
    assert path, "Chromium is needed: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_context(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browser windows of their own, with options of `Browser.new_context`. At the end none of their pages may
    have had an error or broken the Content-Security-Policy, but those that a test expects."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "status of 401" not in message.text:  # a wrong token, and told so
            errors.append(message.text)

    def make(**options: Any) -> BrowserContext:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(10_000)
        context.on("console", note)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def page(open_context: Callable[..., BrowserContext]) -> Page:
    """A window of 1280 × 900, light."""
    return open_context().new_page()


@pytest.fixture(scope="package")
def sample(postgres: EmbeddedPostgres) -> Iterator[Site]:
    """What the demo sends, projected. The clock stands still, so each look is the same."""
    name = "browser_sample"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template_ledger")
        url = postgres.url.rsplit("/", 1)[0] + f"/{name}"
        with closing(PostgresLedger(url, TOPIC)) as ledger:
            plan = make_plan(500)
            fill(ledger, plan)
            ends = {number: position.next_offset for number, position in ledger.positions().items()}
            with _serve(url, log_ends=lambda: ends, read_edge=lambda: count_at_edge(plan)) as address:
                yield Site(address, ledger)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def serve(database_url: str) -> Iterator[Callable[..., Site]]:
    """Starts the application over an empty ledger, once; with other parts where a test says so."""
    with ExitStack() as stack, closing(PostgresLedger(database_url, TOPIC)) as ledger:

        def start(**changed: Any) -> Site:
            site = Site(stack.enter_context(_serve(database_url, **changed)), ledger)
            site.open(PARTITIONS)
            return site

        yield start


@contextmanager
def _serve(url: str, **changed: Any) -> Iterator[str]:
    """The application on a free port of loopback, in a thread with its own event loop."""
    query = LedgerQuery(url, TOPIC, min_size=1, max_size=4)
    parts = parts_over(query, notices=lambda: notices(url), connect=lambda: query, **changed)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(build_api(parts), log_config=None, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        yield f"http://localhost:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
