"""Streams that end when what they are about is out of reach of who follows them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from runyard.runtime.streams.events import Event
from runyard.runtime.streams.outages import outlasting


class FollowedStream(Protocol):
    """What is followed: a run or a thread."""

    async def next(self, timeout: float) -> list[Event] | None:
        """The next events at hand; an empty list after `timeout` seconds of silence; None at the end."""

    async def close(self) -> None:
        """Stops following."""


class ScopedStream:
    """Looks at each turn whether what is followed is still there for its reader; else it is at its end, and what has
    come since is not given out."""

    def __init__(self, stream: FollowedStream, in_reach: Callable[[], Awaitable[bool]]) -> None:
        self._stream = stream
        self._in_reach = in_reach

    async def next(self, timeout: float) -> list[Event] | None:
        """As that of the stream."""
        events = await self._stream.next(timeout)
        return None if events is None or not await outlasting(self._in_reach) else events

    async def close(self) -> None:
        """Stops following."""
        await self._stream.close()
