"""A reader of an event stream who takes what the network gives only when told to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import urlsplit

import orjson
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import StreamPart

RECEIVE_LIMIT = 4096
"""Bytes that asyncio holds for the reader before it stops reading from the socket."""


class SlowReader:
    """Sends a request for a stream, reads the beginning of the answer, and then nothing until `read_all`."""

    def __init__(self, url: str, path: str, body: Any) -> None:
        self._address = urlsplit(url)
        self._path = path
        self._body = orjson.dumps(body)

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            self._address.hostname, self._address.port, limit=RECEIVE_LIMIT
        )
        head = f"POST {self._path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(self._body)}\r\n\r\n"
        self._writer.write(head.encode() + self._body)
        await self._writer.drain()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def run_id(self) -> str:
        """The run, as the headers of the answer name it."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        found = re.search(r"content-location: /runs/(\S+)", head)
        assert found, head
        return found[1]

    async def thread_of(self, client: LangGraphClient, run_id: str) -> str:
        """The thread of a run: the newest that has it."""
        for thread in await client.threads.search(limit=5):
            runs = await client.runs.list(thread["thread_id"])
            if any(run["run_id"] == run_id for run in runs):
                return thread["thread_id"]
        raise AssertionError(f"no thread has the run {run_id}")

    async def opened(self) -> None:
        """Returns when the answer has begun."""
        await self._reader.readuntil(b"\r\n\r\n")

    async def read_until(self, last: Callable[[StreamPart], bool]) -> list[StreamPart]:
        """The events up to the one that is the last."""
        found: list[StreamPart] = []
        body = b""
        while size := int(await self._reader.readline(), 16):
            body += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
            *frames, body = body.split(b"\n\n")
            for frame in frames:
                if not frame.startswith(b":"):
                    found.append(_part(frame))
                    if last(found[-1]):
                        return found
        raise AssertionError(f"the stream ended after {len(found)} events")

    async def read_all(self) -> list[StreamPart]:
        """The events, up to the end of the stream."""
        body = b""
        while size := int(await self._reader.readline(), 16):
            body += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        return [_part(frame) for frame in body.split(b"\n\n") if frame and not frame.startswith(b":")]


def _part(frame: bytes) -> StreamPart:
    fields = dict(line.split(b": ", 1) for line in frame.split(b"\n"))
    return StreamPart(fields[b"event"].decode(), orjson.loads(fields[b"data"]), fields.get(b"id", b"").decode())
