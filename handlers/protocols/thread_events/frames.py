"""The frames that come in over a WebSocket, and those that go out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import orjson

from runyard.handlers.http.errors import HttpError
from runyard.handlers.http.websocket import Disconnected, WebSocket

MOST_FRAMES: Final = 500
"""Frames that a client may send in `WINDOW` seconds."""
WINDOW: Final = 10.0
MOST_AT_HAND: Final = 100
"""Frames that are taken in before the first of them is asked for; others wait in the connection."""


class Frames:
    """Takes frames in while earlier ones are dealt with, so that it is known what has come together."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._at_hand: asyncio.Queue[str | bytes | Disconnected | HttpError] = asyncio.Queue(MOST_AT_HAND)
        self._count = 0
        self._window = 0.0

    async def take_in(self) -> None:
        """Returns when no more is to come: the connection is closed, or its client sends too much."""
        try:
            while True:
                frame = await self._socket.receive()
                self._check_rate()
                await self._at_hand.put(frame)
        except (Disconnected, HttpError) as error:
            await self._at_hand.put(error)

    def _check_rate(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._window > WINDOW:
            self._window, self._count = now, 0
        self._count += 1
        if self._count > MOST_FRAMES:
            raise HttpError(429, f"More than {MOST_FRAMES} frames in {WINDOW:.0f} seconds")

    async def next(self) -> str | bytes:
        """The next frame. Raises Disconnected, or HttpError when there were too many, once all before was taken."""
        frame = await self._at_hand.get()
        if isinstance(frame, (Disconnected, HttpError)):
            self._at_hand.put_nowait(frame)  # for whoever asks again
            raise frame
        return frame

    async def next_within(self, seconds: float) -> str | bytes | None:
        """The next frame, if it comes so soon; None also when none comes any more."""
        try:
            async with asyncio.timeout(seconds):
                return await self.next()
        except (TimeoutError, Disconnected, HttpError):
            return None


class Outgoing:
    """What is sent. Whoever sends several frames that belong together holds the `turn` meanwhile."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self.turn = asyncio.Lock()

    async def tell(self, message: Mapping[str, Any]) -> None:
        """Sends a message, in its turn. Raises Disconnected."""
        async with self.turn:
            await self._socket.send(orjson.dumps(message).decode())

    async def pass_on(self, frame: bytes) -> None:
        """Sends what is JSON already; the turn is the caller's. Raises Disconnected."""
        await self._socket.send(frame.decode())
