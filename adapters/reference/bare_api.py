"""The bare read API: Starlette on uvicorn (uvloop, httptools) and a psycopg pool, one SELECT by primary key as JSON.

It knows no tokens, conditions, times or waiting, has no limits and counts nothing. Run by
`python -m adapters.reference.bare_api`, settings as JSON on stdin.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import uvicorn
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_SELECT = "SELECT * FROM ledger.current_decision WHERE inquiry_id = %(id)s"


def build_bare_api(pool: AsyncConnectionPool[Any]) -> Starlette:
    """`pool`: not open yet."""

    async def show(request: Request) -> Response:
        async with pool.connection() as connection:
            cursor = await connection.execute(_SELECT, {"id": request.path_params["id"]})
            row = await cursor.fetchone()
        if row is None:
            return Response(status_code=404)
        return Response(json.dumps(row, default=_to_json), media_type="application/json")

    @asynccontextmanager
    async def run(_: Starlette) -> AsyncIterator[None]:
        async with pool:
            yield

    return Starlette(routes=[Route("/v1/inquiries/{id}", show)], lifespan=run)


def _to_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError


def main(settings: Mapping[str, Any]) -> None:
    """`database_url`, `pool` (keywords of AsyncConnectionPool), `connection` (of psycopg's connections). Says its URL
    on stdout."""
    kwargs = {**settings["connection"], "row_factory": dict_row}
    app = build_bare_api(AsyncConnectionPool(settings["database_url"], open=False, kwargs=kwargs, **settings["pool"]))
    config = uvicorn.Config(app, loop="uvloop", http="httptools", log_config=None, access_log=False)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main(json.loads(sys.stdin.read()))
