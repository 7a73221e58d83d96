"""What the stories need around the stock clients: a gate that holds runs, and a listener for webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.live_server import LiveServer

OPEN = {"gate": "/"}
"""The input of a run of the graph `gated` that nothing holds."""


@dataclass(frozen=True)
class Gate:
    """Holds the runs of the graphs `gated` and `stuck` until it is opened; opened at the end of the test."""

    path: Path

    def input(self, label: str = "x") -> dict[str, Any]:
        """The input of a run that stops at this gate."""
        return {"gate": str(self.path), "label": label}

    def open(self) -> None:
        """Lets all of them go on."""
        self.path.touch()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


@pytest.fixture
def tag() -> str:
    """A word for the metadata of a test's own runs and threads."""
    return uuid.uuid4().hex


@pytest.fixture
async def thread(client: LangGraphClient) -> str:
    """A new thread."""
    return (await client.threads.create())["thread_id"]


@pytest.fixture
async def http(live_server: LiveServer) -> AsyncIterator[httpx.AsyncClient]:
    """Plain HTTP to the shared server."""
    async with httpx.AsyncClient(base_url=live_server.url, timeout=60) as http:
        yield http


class Listener:
    """Receives webhooks."""

    def __init__(self) -> None:
        self.url = ""
        self._received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def receive(self) -> dict[str, Any]:
        """The body of the next call."""
        return await asyncio.wait_for(self._received.get(), 30)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length:")[2].partition("\r\n")[0])
            self._received.put_nowait(orjson.loads(await reader.readexactly(length)))
            writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
            await writer.drain()
        writer.close()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
    listener.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server:
        yield listener
