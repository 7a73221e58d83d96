"""Clients of an application in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from runyard.handlers.app import create_app
from runyard.handlers.http.scope import Message, Scope

from .fakes.runtime import FakeRuntime


@asynccontextmanager
async def connected(runtime: FakeRuntime) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application around `runtime`."""
    transport = httpx.ASGITransport(app=create_app(runtime), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@dataclass
class Exchange:
    """What an application sent in response to one request."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def parts(self) -> list[bytes]:
        """The parts of the body, one by one."""
        return [message["body"] for message in self.messages[1:]]


async def exchange(
    runtime: FakeRuntime,
    method: str,
    target: str,
    body: bytes | list[bytes] = b"",
    *,
    headers: Mapping[str, str] | None = None,
    more_follows: bool = False,
    disconnect_after: float = 60,
) -> Exchange:
    """One request, message by message, by a client that disconnects so many seconds after it.

    `more_follows` announces more of the body, which never comes.
    """
    path, _, query = target.partition("?")
    pieces = [body] if isinstance(body, bytes) else body
    incoming: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": more_follows or index < len(pieces)}
        for index, piece in enumerate(pieces, start=1)
    ]
    sent = Exchange()

    async def receive() -> Message:
        if incoming:
            return incoming.pop(0)
        await asyncio.sleep(disconnect_after)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.messages.append(dict(message))

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        "server": ("test", 80),
        "client": ("test", 1),
    }
    await create_app(runtime)(scope, receive, send)
    return sent
