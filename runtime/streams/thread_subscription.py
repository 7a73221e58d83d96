"""Follows all runs of a thread, those to come included."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from runyard.runtime.streams.events import Event, EventId
from runyard.runtime.streams.subscriptions import BUFFER, Subscription

ReadThreadEvents = Callable[[EventId], Awaitable[list[Event]]]
"""Reads the stored events of a thread that come after an id."""
ReadThreadValues = Callable[[], Awaitable[bytes | None]]
"""Reads what a thread holds now, as JSON."""


class ThreadSubscription(Subscription):
    """The stream of a thread; it ends when it is closed, or with the thread.

    `modes`: "run_modes" (all events of the runs, then a `metadata` event that says that the run is done),
    "lifecycle" (only beginnings and ends of runs), "state_update" (the thread's values after each run and each
    edit, as `state_update` events). Every event has an id (observed at
    GET /threads/{thread_id}/stream).
    """

    def __init__(
        self,
        thread_id: str,
        unsubscribe: Callable[[Any], None],
        read_stored: ReadThreadEvents,
        read_values: ReadThreadValues,
        modes: frozenset[str],
    ) -> None:
        super().__init__("", unsubscribe, announced=True)
        self.thread_id = thread_id
        self._read_stored = read_stored
        self._read_values = read_values
        self._modes = modes
        self._events: list[Event] = []
        self._size = 0
        self._number = 0
        self._replay_after: EventId | None = None
        self._state_changed = False

    def replay_after(self, event_id: str) -> None:
        """Begins with the stored events of resumable runs behind that id; "-1" asks for all of them."""
        self._replay_after = EventId.parse(event_id)

    def add(self, event: Event) -> None:
        if "run_modes" in self._modes or ("lifecycle" in self._modes and event.name in ("metadata", "error")):
            self._put(event)

    def run_done(self, run_id: str) -> None:
        """A run of the thread has ended."""
        if "run_modes" in self._modes or "lifecycle" in self._modes:
            self._put(Event("metadata", orjson.dumps({"status": "run_done", "run_id": run_id})))
        self.state_changed()

    def state_changed(self) -> None:
        """The thread's values may be others now; they are read when the stream is."""
        if "state_update" in self._modes:
            self._state_changed = True
            self._notify()

    def _put(self, event: Event) -> None:
        self._size += len(event.data)
        if self._size > BUFFER:
            # A stream without an end cannot end with an error: the oldest events of a slow reader go.
            dropped = self._events[: len(self._events) // 2 + 1]
            self._size -= sum(len(event.data) for event in dropped)
            del self._events[: len(dropped)]
        if event.id is None:
            self._number += 1
            event = Event(event.name, event.data, f"{time.time_ns() // 1_000_000}-{self._number}")
        self._events.append(event)
        self._notify()

    async def next(self, timeout: float) -> list[Event] | None:
        """All events at hand; an empty list after `timeout` seconds of silence; None once the thread was deleted."""
        if not self._at_hand() and self._ended is None:
            await self._wait(timeout)
        if self._ended is not None and not self._at_hand():
            return None
        return await self._take()

    def _at_hand(self) -> bool:
        return bool(self._events) or self._state_changed or self._replay_after is not None

    async def _take(self) -> list[Event]:
        stored: list[Event] = []
        if self._replay_after is not None:
            after, self._replay_after = self._replay_after, None
            stored = await self._read_stored(after)
        events, self._events, self._size = self._events, [], 0
        if stored:
            # What came while storage was read may be in both.
            known = {event.id for event in stored}
            events = [event for event in events if event.id not in known]
        if self._state_changed:
            self._state_changed = False
            values = await self._read_values()
            self._number += 1
            events.append(Event("state_update", values or b"null", f"{time.time_ns() // 1_000_000}-{self._number}"))
        return stored + events
