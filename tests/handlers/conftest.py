"""Clients of an application around a fake runtime."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from runyard.handlers.app import create_app
from runyard.handlers.contract.document import load_document

from .fakes import Event, FakeRuntime, make_runtime


@asynccontextmanager
async def connected(runtime: FakeRuntime) -> AsyncIterator[httpx.AsyncClient]:
    """A client that talks to an application around `runtime` in this process."""
    transport = httpx.ASGITransport(app=create_app(runtime), raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@dataclass
class Exchange:
    """What an application sent in answer to one request."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> int:
        return self.messages[0]["status"]

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def parts(self) -> list[bytes]:
        return [message["body"] for message in self.messages[1:]]


async def ask(
    runtime: FakeRuntime, method: str, target: str, body: bytes | list[bytes] = b"", leave_after: float = 60
) -> Exchange:
    """One request, message by message, by a client that leaves after so many seconds."""
    path, _, query = target.partition("?")
    pieces = [body] if isinstance(body, bytes) else body
    incoming = [
        {"type": "http.request", "body": piece, "more_body": index < len(pieces)}
        for index, piece in enumerate(pieces, start=1)
    ]
    exchange = Exchange()

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop(0)
        await asyncio.sleep(leave_after)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        exchange.messages.append(dict(message))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [],
        "server": ("test", 80),
        "client": ("test", 1),
    }
    await create_app(runtime)(scope, receive, send)  # type: ignore[arg-type]
    return exchange


@pytest.fixture
def runtime() -> FakeRuntime:
    return make_runtime()


@pytest.fixture
async def client(runtime: FakeRuntime) -> AsyncIterator[httpx.AsyncClient]:
    async with connected(runtime) as client:
        yield client


@pytest.fixture
def fakes() -> Any:
    """The functions of this module, since test modules cannot import it."""
    return SimpleNamespace(make_runtime=make_runtime, connected=connected, ask=ask, Event=Event)


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    return load_document()


@pytest.fixture(scope="session")
def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Path, method and definition of every operation."""
    return [
        (path, method, definition) for path, item in document["paths"].items() for method, definition in item.items()
    ]
