"""Follows all runs of a thread, those to come included."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from runyard.runtime.storage.port.events import EndPlace
from runyard.runtime.storage.port.runs import RunResult
from runyard.runtime.streams.backlog import Backlog, Buffer
from runyard.runtime.streams.cuts import cut, slow_thread_reader
from runyard.runtime.streams.events import Event, EventId, done_data, run_done
from runyard.runtime.streams.subscriptions import Subscription

ReadThreadEvents = Callable[[EventId], AsyncIterator[list[Event]]]
"""Reads the stored events of a thread that come after an id, and the ends of its runs, page by page."""
ReadThreadValues = Callable[[], Awaitable[bytes | None]]
"""Reads what a thread holds now, as JSON."""


class ThreadSubscription(Subscription):
    """The stream of a thread; it ends when it is closed, or with the thread.

    `modes`: "run_modes" (all events of the runs, then a `metadata` event that says that the run is done),
    "lifecycle" (only beginnings and ends of runs), "state_update" (the thread's values after each run and each
    edit, as `state_update` events). Every event has an id (observed at
    GET /threads/{thread_id}/stream); events of resumable runs, and ends, are read from storage where they are missing.
    """

    def __init__(
        self,
        thread_id: str,
        unsubscribe: Callable[[Any], None],
        read_stored: ReadThreadEvents,
        read_values: ReadThreadValues,
        backlog: Backlog,
        modes: frozenset[str],
        *,
        after: str | None,
    ) -> None:
        """`after`: the id behind which to begin ("-1": with the first event); None: with the present."""
        super().__init__("", unsubscribe, announced=True)
        self.thread_id = thread_id
        self._read_stored = read_stored
        self._read_values = read_values
        self._modes = modes
        self._buffer = Buffer(backlog, self._overflowed)
        self._made = 0
        self._position = EventId(_now(), 0) if after is None else EventId.parse(after)
        self._missing = after is not None
        self._replay: AsyncIterator[list[Event]] | None = None
        self._replayed = EventId(-1, 0)
        self._latest: tuple[str, int] | None = None
        self._state_changed = False

    # What happens on the thread

    def add(self, run_id: str, event: Event) -> None:
        """An event of a run."""
        if event.number:
            self.stored(run_id, event.number - 1)
            self._latest = (run_id, event.number)
        self._put(event)

    def stored(self, run_id: str, number: int) -> None:
        """The run's events up to that number are stored; the last of them may not have come."""
        if self._latest is None:
            self._latest = (run_id, number)
            return
        known = self._latest[1] if self._latest[0] == run_id else 0
        if number > known:
            self._latest = (run_id, number)
            self.catch_up()

    def run_done(self, run_id: str, place: EndPlace | None) -> None:
        """A run of the thread has ended. `place`: where storage has that."""
        self._put(Event("metadata", done_data(run_id)) if place is None else run_done(run_id, place))
        self.state_changed()

    def run_cut(self, run_id: str) -> None:
        """A run has ended whose worker told of neither the end nor what came before, and its events are not stored."""
        self._put(cut(run_id))

    def catch_up(self) -> None:
        """Something is in storage that has not come."""
        self._missing = True
        self.state_changed()
        self._notify()

    def state_changed(self) -> None:
        """The thread's values may be others now; they are read when the stream is."""
        if "state_update" in self._modes:
            self._state_changed = True
            self._notify()

    # What its reader gets

    def _wanted(self, event: Event) -> bool:
        return "run_modes" in self._modes or ("lifecycle" in self._modes and event.name in ("metadata", "error"))

    def _put(self, event: Event) -> None:
        if self._wanted(event):
            self._buffer.put(event)
            self._notify()

    def _overflowed(self, dropped: list[Event]) -> None:
        self._missing = True
        if any(not event.number for event in dropped):
            self._buffer.put(slow_thread_reader(self.thread_id))
            self.end(RunResult("", "interrupted", b"null"))
        self._notify()

    async def close(self) -> None:
        self._buffer.close()
        await super().close()

    async def next(self, timeout: float) -> list[Event] | None:
        """The next events at hand; an empty list after `timeout` seconds of silence; None once the thread was
        deleted."""
        while True:
            events = await self._stored_page() if self._replay is not None or self._missing else self._buffered()
            if events:
                return events
            if self._replay is not None or self._missing or self._buffer:
                continue
            if self._state_changed:
                self._state_changed = False
                return [self._with_id(Event("state_update", await self._read_values() or b"null"))]
            if self._ended is not None:
                return None
            await self._wait(timeout)
            if not (self._buffer or self._missing or self._state_changed or self._ended is not None):
                return []

    async def _stored_page(self) -> list[Event]:
        """What comes meanwhile waits; it may repeat the last of this."""
        if self._replay is None:
            self._missing = False
            self._replay = self._read_stored(self._position)
        page = await anext(self._replay, None)
        if page is None:
            self._replay = None
            return []
        self._position = self._replayed = EventId.parse(page[-1].id)
        return [event for event in page if self._wanted(event)]

    def _buffered(self) -> list[Event]:
        events = []
        for event in self._buffer.take():
            if event.number:
                event_id = EventId.parse(event.id)
                if event_id <= self._replayed:
                    continue
                self._position = max(self._position, event_id)
            events.append(self._with_id(event))
        return events

    def _with_id(self, event: Event) -> Event:
        if event.id is not None:
            return event
        self._made += 1
        return Event(event.name, event.data, f"{_now()}-{self._made}")


def _now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
