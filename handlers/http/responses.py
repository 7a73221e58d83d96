"""The responses that handlers return: small ASGI applications.

They do less than a framework's response classes, since they are on the path of every request: header names
are lower-case bytes already, bodies are bytes already.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import orjson

from runyard.handlers.http.scope import Header, Receive, Scope, Send

JSON = (b"content-type", b"application/json")
HEALTH = b'{"ok":true,"services":{}}'
"""What a server that is well answers."""

PIECE = 1 << 20
"""Bytes of a large body that are sent at once: others have requests too, and slow readers are waited for."""

KEEP_ALIVE = 5.0
"""Seconds of silence after which a response that lasts sends something without meaning: clients and proxies give
up on silent connections."""


class Response(Protocol):
    """What a handler returns."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the request. Called once."""


class BodyResponse:
    """A response whose body is complete."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes = b"", headers: Iterable[Header] = ()) -> None:
        self.status = status
        self.body = body
        self.headers = [*headers]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # 204 has no body by definition, and must not have a length either.
        if self.status != 204:
            self.headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        if len(self.body) <= PIECE:
            await send({"type": "http.response.body", "body": self.body})
            return
        for start in range(0, len(self.body), PIECE):
            piece = self.body[start : start + PIECE]
            await send({"type": "http.response.body", "body": piece, "more_body": start + PIECE < len(self.body)})


def json_response(value: Any, status: int = 200, headers: Iterable[Header] = ()) -> BodyResponse:
    """Any value that orjson knows, generated dataclasses above all, as JSON."""
    return BodyResponse(status, orjson.dumps(value), [JSON, *headers])


def encoded_response(body: bytes) -> BodyResponse:
    """JSON that is encoded already."""
    return BodyResponse(200, body, [JSON])


def location(name: bytes, path: str) -> Header:
    """A header that names a place on this server."""
    return (name, path.encode("ascii"))
