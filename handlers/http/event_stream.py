"""Event streams: from a subscription's events to server-sent frames."""

from __future__ import annotations

from typing import Protocol

import orjson

from runyard.handlers.http.disconnect import OnDisconnect, while_connected
from runyard.handlers.http.responses import KEEP_ALIVE
from runyard.handlers.http.scope import Header, Receive, Scope, Send
from runyard.runtime.errors import EncryptionFailed
from runyard.runtime.streams.events import Event

_COMMENT = b": heartbeat\n\n"
_HEADERS: list[Header] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # or nginx collects events until it has a buffer full of them
]


class EventSubscription(Protocol):
    """What is streamed: the events of a run or of a thread."""

    async def next(self, timeout: float) -> list[Event] | None:
        """All events at hand; an empty list after `timeout` seconds of silence; None at the end."""

    async def close(self) -> None:
        """Ends the subscription, whether or not its events have ended."""


def frame(event: Event) -> bytes:
    """One event as it is sent. Its data is JSON on one line; its name may hold a node's, so any text."""
    name = event.name.replace("\r", " ").replace("\n", " ").encode()
    if event.id is None:
        return b"event: %b\ndata: %b\n\n" % (name, event.data)
    return b"event: %b\ndata: %b\nid: %b\n\n" % (name, event.data, event.id.encode())


class EventStream:
    """The response that sends the events of a subscription until they end, and then closes it."""

    __slots__ = ("headers", "on_disconnect", "subscription")

    def __init__(
        self, subscription: EventSubscription, headers: list[Header], on_disconnect: OnDisconnect | None = None
    ) -> None:
        self.subscription = subscription
        self.headers = [*_HEADERS, *headers]
        self.on_disconnect = on_disconnect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if not await while_connected(receive, self._send_all(send)) and self.on_disconnect is not None:
                await self.on_disconnect()
        finally:
            await self.subscription.close()

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        try:
            while (events := await self.subscription.next(KEEP_ALIVE)) is not None:
                body = b"".join(map(frame, events)) if events else _COMMENT
                await send({"type": "http.response.body", "body": body, "more_body": True})
        except EncryptionFailed as error:
            # Whoever asked for what comes next would get no further either.
            said = orjson.dumps({"error": type(error).__name__, "message": error.detail})
            await send({"type": "http.response.body", "body": frame(Event("error", said)), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
