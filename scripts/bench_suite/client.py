"""A light HTTP/1.1 client for load: one request at a time on a kept connection, straight on asyncio.

A general client costs half a millisecond and more per request; on two cores, shared with the server that
is measured, that would be most of what is measured. This one costs about ten microseconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import httptools
import orjson

Sink = Callable[[bytes, float], None]
"""Called with each piece of a body and the time.perf_counter() of its arrival."""


class Broken(ConnectionError):
    """The server closed the connection in the middle of an answer."""


@dataclass(slots=True)
class Answer:
    status: int
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


class Connection(asyncio.Protocol):
    """One connection; reconnects by itself when the server has closed it between two requests."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._host = f"{host}:{port}".encode()
        self._transport: asyncio.Transport | None = None
        self._done: asyncio.Future[None] | None = None
        self._sink: Sink | None = None
        self._chunks: list[bytes] = []
        self._keep = True

    async def get(self, path: str) -> Answer:
        return await self.send(self.request("GET", path))

    async def post(self, path: str, payload: Any) -> Answer:
        return await self.send(self.request("POST", path, orjson.dumps(payload)))

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The bytes of a request, to be built once and sent often."""
        head = b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (method.encode(), path.encode(), self._host)
        if method != "GET":
            head += b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
        return head + b"\r\n" + body

    async def send(self, request: bytes, sink: Sink | None = None) -> Answer:
        """Send it and wait for the whole answer; with a sink the body goes there, piece by piece."""
        if self._transport is None or self._transport.is_closing():
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: self, *self._address)
        assert self._transport is not None
        self._sink, self._chunks = sink, []
        self._parser = httptools.HttpResponseParser(self)
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._done
        if not self._keep:
            self.close()
        return Answer(self._parser.get_status_code(), b"".join(self._chunks))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(Broken(str(error)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._fail(Broken("the server closed the connection"))

    # httptools

    def on_headers_complete(self) -> None:
        self._keep = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        if self._sink is None:
            self._chunks.append(body)
        else:
            self._sink(body, time.perf_counter())

    def on_message_complete(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _fail(self, error: Exception) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)


class Events:
    """A sink for server-sent events: counts them by name and notes when they came."""

    def __init__(self) -> None:
        self.counts: dict[bytes, int] = {}
        self.first: float | None = None
        """When the first event came, whatever it is."""
        self.first_own: float | None = None
        """When the first event came that the graph itself caused."""
        self.last = 0.0
        self._rest = b""

    def __call__(self, chunk: bytes, now: float) -> None:
        text = self._rest + chunk
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        *frames, self._rest = text.split(b"\n\n")
        for frame in frames:
            if not frame.startswith(b"event: "):
                continue  # a heartbeat
            name = frame[7 : frame.index(b"\n")]
            self.counts[name] = self.counts.get(name, 0) + 1
            self.last = now
            if self.first is None:
                self.first = now
            if self.first_own is None and name != b"metadata":
                self.first_own = now
