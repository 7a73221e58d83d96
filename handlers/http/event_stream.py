"""Event streams: from a watch's events to server-sent frames."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from runyard.handlers.http.disconnect import while_connected
from runyard.handlers.http.responses import Header, Receive, Scope, Send

if TYPE_CHECKING:
    from runyard.runtime.streams.events import Event

HEARTBEAT = 5.0
"""Seconds of silence after which a comment is sent: clients and proxies give up on silent connections."""

_COMMENT = b": heartbeat\n\n"
_HEADERS: list[Header] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # or nginx collects events until it has a buffer full of them
]


class Events(Protocol):
    """What is streamed: the events of a run or of a thread."""

    async def next(self, timeout: float) -> list[Event] | None:
        """All events at hand; an empty list after `timeout` seconds of silence; None at the end."""

    async def close(self) -> None:
        """Stops following."""


def frame(event: Event) -> bytes:
    """One event as it is sent. Its data is JSON on one line; its name may hold a node's, so any text."""
    name = event.name.replace("\r", " ").replace("\n", " ").encode()
    if event.id is None:
        return b"event: %b\ndata: %b\n\n" % (name, event.data)
    return b"event: %b\ndata: %b\nid: %b\n\n" % (name, event.data, event.id.encode())


class EventStream:
    """Sends `events` until they end.

    `on_gone` is called when the client closes the connection before that.
    """

    __slots__ = ("events", "headers", "on_gone")

    def __init__(
        self, events: Events, headers: list[Header], on_gone: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.events = events
        self.headers = [*_HEADERS, *headers]
        self.on_gone = on_gone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if not await while_connected(receive, self._send_all(send)) and self.on_gone is not None:
                await self.on_gone()
        finally:
            await self.events.close()

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        while (events := await self.events.next(HEARTBEAT)) is not None:
            body = b"".join(map(frame, events)) if events else _COMMENT
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
