"""Event streams: from a watch's events to server-sent frames."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from runyard.handlers.connection import while_connected
from runyard.handlers.replies import Header, Receive, Scope, Send

if TYPE_CHECKING:
    from runyard.runtime.streams import Event, Watch

HEARTBEAT = 5.0
"""Seconds of silence after which a comment is sent: clients and proxies give up on silent connections."""

_COMMENT = b": heartbeat\n\n"
_HEADERS: list[Header] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # or nginx collects events until it has a buffer full of them
]


def frame(event: Event) -> bytes:
    """One event as it is sent. Its data is JSON on one line; its name may hold a node's, so any text."""
    name = event.name.replace("\r", " ").replace("\n", " ").encode()
    if event.id is None:
        return b"event: %b\ndata: %b\n\n" % (name, event.data)
    return b"event: %b\ndata: %b\nid: %b\n\n" % (name, event.data, event.id.encode())


class EventStream:
    """Sends the events of `watch` until it ends.

    `on_gone` is called when the client closes the connection before that.
    """

    __slots__ = ("headers", "on_gone", "watch")

    def __init__(
        self, watch: Watch, headers: list[Header], on_gone: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.watch = watch
        self.headers = [*_HEADERS, *headers]
        self.on_gone = on_gone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if not await while_connected(receive, self._send_all(send)) and self.on_gone is not None:
                await self.on_gone()
        finally:
            await self.watch.close()

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        while (events := await self.watch.next(HEARTBEAT)) is not None:
            body = b"".join(map(frame, events)) if events else _COMMENT
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
