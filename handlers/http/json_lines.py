"""JSON Lines: a JSON value a line, sent as they come."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from runyard.handlers.http.disconnect import while_connected
from runyard.handlers.http.responses import KEEP_ALIVE
from runyard.handlers.http.scope import Header, Receive, Scope, Send

AT_ONCE: Final = 0.2
"""Seconds for which the status waits for the first lines."""

_HEARTBEAT = b"\n"
_HEADERS: list[Header] = [
    (b"content-type", b"application/jsonl"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # or nginx collects lines until it has a buffer full of them
]


class LineSource(Protocol):
    """What is sent."""

    async def next(self, timeout: float) -> bytes | None:
        """Some lines, each with its end; none after `timeout` seconds of silence; None at the end."""


class JsonLines:
    """The response that sends the lines of a source until they end. The next are asked for when the client has taken
    the last. In silence it sends empty lines, which readers of JSON Lines pass over."""

    __slots__ = ("source",)

    def __init__(self, source: LineSource) -> None:
        self.source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await while_connected(receive, self._send_all(send))

    async def _send_all(self, send: Send) -> None:
        first = asyncio.ensure_future(self.source.next(KEEP_ALIVE))
        try:
            # What fails at once is still answered as any request that fails.
            await asyncio.wait({first}, timeout=AT_ONCE)
            if first.done():
                first.result()
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            lines = await first
            while lines is not None:
                await send({"type": "http.response.body", "body": lines or _HEARTBEAT, "more_body": True})
                lines = await self.source.next(KEEP_ALIVE)
        finally:
            first.cancel()
        await send({"type": "http.response.body", "body": b""})
