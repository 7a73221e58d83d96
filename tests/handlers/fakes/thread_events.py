"""Events that a test tells, on threads with any id but `missing`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson

from runyard.runtime.errors import NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.services.thread_events import EventFilter, ProtocolEvent


def make_event(seq: int, method: str, data: Any, namespace: Sequence[str] = ()) -> ProtocolEvent:
    params = {"namespace": [*namespace], "timestamp": 1_790_000_000_000, "data": data}
    frame = {"type": "event", "event_id": str(seq), "seq": seq, "method": method, "params": params}
    return ProtocolEvent(seq, method, orjson.dumps(frame))


class FakeEventSubscription:
    """Gives everybody all events that were told and that are to come."""

    def __init__(self, events: FakeThreadEvents, filters: Sequence[EventFilter]) -> None:
        self._events = events
        self._given = 0
        self.filters = [*filters]
        self.closed = False

    async def next(self, timeout: float) -> list[ProtocolEvent] | None:
        while True:
            if self._given < len(self._events.told):
                new = self._events.told[self._given :]
                self._given += len(new)
                return new
            if self._events.ended:
                return None
            try:
                async with asyncio.timeout(timeout):
                    await self._events.changed.wait()
            except TimeoutError:
                return []
            self._events.changed.clear()

    def change(self, filters: Sequence[EventFilter]) -> None:
        self.filters = [*filters]

    async def close(self) -> None:
        self.closed = True


class FakeThreadEvents:
    """`subscriptions` has all that were handed out. They end with what was told, unless `ended` is set to False."""

    def __init__(self) -> None:
        self.told: list[ProtocolEvent] = []
        self.ended = True
        self.changed = asyncio.Event()
        self.missing: str | None = None
        self.since: list[int | None] = []
        self.subscriptions: list[FakeEventSubscription] = []

    def tell(self, *events: ProtocolEvent) -> None:
        self.told += events
        self.changed.set()

    def end(self) -> None:
        """The thread was deleted."""
        self.ended = True
        self.changed.set()

    async def subscribe(
        self, scope: Scope, thread_id: str, filters: Sequence[EventFilter], since: int | None = None
    ) -> FakeEventSubscription:
        self._check(thread_id)
        self.since.append(since)
        self.subscriptions.append(FakeEventSubscription(self, filters))
        return self.subscriptions[-1]

    async def last_seq(self, scope: Scope, thread_id: str) -> int:
        self._check(thread_id)
        return self.told[-1].seq if self.told else 0

    def _check(self, thread_id: str) -> None:
        if thread_id == self.missing:
            raise NotFound(f"Thread with ID {thread_id} not found")
