"""A link over a Unix domain socket.

On the wire: 4 bytes little-endian length, then a msgpack list of messages; one frame carries all that was sent in
one turn of the event loop.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import ormsgpack

from runyard.runtime.bus.messages import Message

LENGTH = 4
"""Bytes of a frame's length."""


class SocketLink(asyncio.Protocol):
    """A link over a Unix domain socket."""

    def __init__(self, receive: Callable[["SocketLink", Message], None], lost: Callable[["SocketLink"], None]) -> None:
        self._receive = receive
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._out: list[Message] = []
        self._in = bytearray()

    def send(self, *message: Any) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(message)

    def close(self) -> None:
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        if self._out and self._transport is not None and not self._transport.is_closing():
            body = ormsgpack.packb(self._out)
            self._transport.write(len(body).to_bytes(LENGTH, "little") + body)
        self._out = []

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say so itself

    def data_received(self, data: bytes) -> None:
        self._in += data
        start, size = 0, len(self._in)
        while size - start >= LENGTH:
            end = start + LENGTH + int.from_bytes(self._in[start : start + LENGTH], "little")
            if size < end:
                break
            for message in ormsgpack.unpackb(self._in[start + LENGTH : end]):
                self._receive(self, message)
            start = end
        del self._in[:start]

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(self)
