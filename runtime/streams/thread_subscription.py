"""Follows all runs of a thread, those to come included."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from runyard.runtime.storage.port.runs import RunResult
from runyard.runtime.streams.backlog import Backlog, Buffer
from runyard.runtime.streams.cuts import cut, slow_thread_reader
from runyard.runtime.streams.events import Event, EventId, done_data, run_done
from runyard.runtime.streams.protocol_events import plain_event
from runyard.runtime.streams.subscriptions import Subscription

ReadThreadEvents = Callable[[int, int], AsyncIterator[list[Event]]]
"""Reads the log of a thread behind one number and up to another, page by page."""
ReadThreadValues = Callable[[], Awaitable[bytes | None]]
"""Reads what a thread holds now, as JSON."""
_READ_UPTO = ""
"""Names what stands in the buffer for events that have not come; its number is that of the last of them."""


class ThreadSubscription(Subscription):
    """The stream of a thread; it ends when it is closed, or with the thread.

    `modes`: "run_modes" (all events of the runs, then a `metadata` event that says that the run is done),
    "lifecycle" (only beginnings and ends of runs), "state_update" (the thread's values after each run and each
    edit, as `state_update` events). Every event has an id (observed at
    GET /threads/{thread_id}/stream).

    Events of resumable runs, and ends, have numbers without gaps. Where one does not follow the one before, those in
    between are read from the log of the thread.
    """

    def __init__(
        self,
        thread_id: str,
        unsubscribe: Callable[[Any], None],
        read_log: ReadThreadEvents,
        read_values: ReadThreadValues,
        backlog: Backlog,
        modes: frozenset[str],
        *,
        last: int,
        after: str | None,
    ) -> None:
        """`last`: the last number that was given on the thread. `after`: the id behind which to begin ("-1": with the
        first event); None: with the present."""
        super().__init__("", unsubscribe, announced=True)
        self.thread_id = thread_id
        self._read_log = read_log
        self._read_values = read_values
        self._modes = modes
        self._buffer = Buffer(backlog, self._overflowed)
        self._held: Sequence[Event] = ()
        self._position = EventId(last) if after is None else EventId.parse(after, last=last)
        self._newest = last
        self._missing = self._position.seq < last
        self._replay: AsyncIterator[list[Event]] | None = None
        self._state_changed = False

    # What happens on the thread

    def add(self, events: Sequence[Event]) -> None:
        """Events of a run, in order."""
        for event in events:
            self._add(event)

    def _add(self, event: Event) -> None:
        if not event.number:
            self._put(event)
        elif event.number == self._newest + 1:
            self._newest = event.number
            self._put(event)
        else:
            self.stored(event.number)

    def _put(self, event: Event) -> None:
        if self._ended is None and (shown := self._shown(event)) is not None:
            self._buffer.put(shown)
            self._notify()

    def stored(self, number: int) -> None:
        """The log reaches up to that number; the last of it may not have come."""
        if number > self._newest and self._ended is None:
            self._newest = number
            self._buffer.put(Event(_READ_UPTO, b"", number=number))
            self._notify()

    def run_done(self, run_id: str, number: int | None) -> None:
        """A run of the thread has ended. `number`: that of the end in the log."""
        self._add(Event("metadata", done_data(run_id)) if number is None else run_done(run_id, number))
        self.state_changed()

    def run_cut(self, run_id: str) -> None:
        """A run has ended whose worker told of neither the end nor what came before, and its events are not stored."""
        self._put(cut(run_id))

    def state_changed(self) -> None:
        """The thread's values may be others now; they are read when the stream is."""
        if "state_update" in self._modes:
            self._state_changed = True
            self._notify()

    # What its reader gets

    def _shown(self, event: Event) -> Event | None:
        """The event as the reader gets it; None when it is not wanted."""
        plain = plain_event(event)
        if plain is None or "run_modes" in self._modes:
            return plain
        return plain if "lifecycle" in self._modes and plain.name in ("metadata", "error") else None

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
        until: float | None = None
        while True:
            events = await self._next_page() if self._replay is not None else self._buffered()
            if events:
                return events
            if self._at_hand:
                continue
            if self._state_changed:
                self._state_changed = False
                return [self._with_id(Event("state_update", await self._read_values() or b"null"))]
            if self._ended is not None:
                return None
            self._passed(self._newest)
            now = asyncio.get_running_loop().time()
            until = now + timeout if until is None else until
            await self._wait(max(0.0, until - now))
            if not (self._at_hand or self._state_changed or self._ended is not None):
                return []

    @property
    def _at_hand(self) -> bool:
        return self._replay is not None or self._missing or bool(self._held or self._buffer)

    async def _next_page(self) -> list[Event]:
        assert self._replay is not None
        page = await anext(self._replay, None)
        if page is None:
            self._replay = None
            return []
        return page

    async def _read(self, after: int, upto: int) -> AsyncIterator[list[Event]]:
        """What is wanted of the log behind one number and up to another."""
        async for page in self._read_log(after, upto):
            if page:
                self._passed(page[-1].number)
            yield [shown for event in page if (shown := self._shown(event)) is not None]

    def _passed(self, number: int) -> None:
        """All events of the log up to that number were looked at."""
        if number > self._position.seq:
            self._position = EventId(number)

    def _buffered(self) -> list[Event]:
        """What was held back came before the buffer overflowed, what is in it now after that."""
        if not self._held and self._missing:
            self._missing = False
            self._replay = self._read(self._position.seq, self._newest)
            return []
        events: list[Event] = []
        batch, self._held = self._held or self._buffer.take(), ()
        for place, event in enumerate(batch):
            if not event.number:
                events.append(self._with_id(event))
            elif event.number > self._position.seq:
                if event.name == _READ_UPTO:
                    self._replay, self._held = self._read(self._position.seq, event.number), batch[place + 1 :]
                    break
                events.append(self._with_id(event))
        return events

    def _with_id(self, event: Event) -> Event:
        if event.number:
            self._passed(event.number)
            return event
        self._position = EventId(self._position.seq, self._position.unstored + 1)
        return Event(event.name, event.data, str(self._position))
