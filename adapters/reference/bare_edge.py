"""The bare receiver: Starlette on uvicorn (uvloop, httptools) and kafka-python, no more than the promise needs.

It reads the body, checks the HMAC and answers after the log's acknowledgement. It reads no event, writes neither key
nor headers (without keys kafka-python fills one batch at a time), has no limits and counts nothing. Run by
`python -m adapters.reference.bare_edge`, settings as JSON on stdin.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
import sys
from collections.abc import Mapping
from typing import Any

import uvicorn
from kafka import KafkaProducer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_ACK_TIMEOUT_S = 3.0


def build_bare_edge(producer: Any, topic: str, secret: bytes) -> Starlette:
    """`producer`: a KafkaProducer with `acks="all"`."""

    async def receive(request: Request) -> Response:
        body = await request.body()
        if not _is_genuine(secret, request.headers.get("persona-signature", ""), body):
            return Response(status_code=401)
        done = _ask(producer.send(topic, body), asyncio.get_running_loop())
        metadata = await asyncio.wait_for(done, _ACK_TIMEOUT_S)
        return JSONResponse({"topic": metadata.topic, "partition": metadata.partition, "offset": metadata.offset})

    return Starlette(routes=[Route("/webhooks/persona", receive, methods=["POST"])])


def _is_genuine(secret: bytes, header: str, body: bytes) -> bool:
    time, _, signature = header.removeprefix("t=").partition(",v1=")
    expected = hmac.digest(secret, b"%b.%b" % (time.encode(), body), "sha256").hex()
    return hmac.compare_digest(expected.encode(), signature.encode())


def _ask(sent: Any, loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any]:
    """kafka-python's future → asyncio's."""
    done = loop.create_future()
    sent.add_callback(lambda metadata: loop.call_soon_threadsafe(_settle, done, metadata, None))
    sent.add_errback(lambda error: loop.call_soon_threadsafe(_settle, done, None, error))
    return done


def _settle(done: asyncio.Future[Any], metadata: Any, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(metadata)
    else:
        done.set_exception(error)


def main(settings: Mapping[str, Any]) -> None:
    """`bootstrap`, `topic`, `secret`, `producer` (keywords of KafkaProducer). Says its URL on stdout."""
    producer = KafkaProducer(bootstrap_servers=settings["bootstrap"], **settings["producer"])
    app = build_bare_edge(producer, settings["topic"], settings["secret"].encode())
    config = uvicorn.Config(app, loop="uvloop", http="httptools", log_config=None, access_log=False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main(json.loads(sys.stdin.read()))
