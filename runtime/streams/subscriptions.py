"""What follows a run from outside: its events, or only its end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from runyard.runtime.storage.port.runs import RunResult
from runyard.runtime.streams.events import Event

BUFFER = 16 * 2**20
"""Bytes of events that a slow reader may fall behind."""

ReadStored = Callable[[int], Awaitable[list[Event]]]
"""Reads the stored events of a run that come after a number."""


class Subscription:
    """Something that waits for the end of a run. Whoever opened it has to close it, which calls `unsubscribe`."""

    def __init__(self, run_id: str, unsubscribe: Callable[[Any], None], *, announced: bool) -> None:
        self._unsubscribe = unsubscribe
        self.run_id = run_id
        self.announced = announced
        """Whether workers were told about it: the run was there before the subscription."""
        self.since = asyncio.get_running_loop().time()
        self._ended: RunResult | None = None
        self._waiter: asyncio.Future[None] | None = None

    def add(self, event: Event) -> None:
        """An event of the run."""

    def end(self, ended: RunResult) -> None:
        """The run has ended."""
        if self._ended is None:
            self._ended = ended
            self._notify()

    async def close(self) -> None:
        """Stops following."""
        self._unsubscribe(self)

    def _notify(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(timeout, self._notify)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None


class ResultWaiter(Subscription):
    """Waits for what a run answers."""

    async def result(self, timeout: float) -> bytes | None:
        """The answer as JSON; None when the run has not ended within `timeout` seconds."""
        if self._ended is None:
            await self._wait(timeout)
        return None if self._ended is None else self._ended.answer


class RunSubscription(Subscription):
    """Waits for the events of a run.

    Only a bounded number of bytes waits for a slow reader: beyond, the stream of a resumable run continues from
    storage, and another one ends with an `error` event that says so.
    """

    def __init__(
        self,
        run_id: str,
        unsubscribe: Callable[[Any], None],
        read_stored: ReadStored,
        *,
        announced: bool,
        resumable: bool,
        modes: frozenset[str] | None = None,
    ) -> None:
        super().__init__(run_id, unsubscribe, announced=announced)
        self._read_stored = read_stored
        self._resumable = resumable
        self._modes = modes
        self._events: list[Event] = []
        self._size = 0
        self._overflowed = False
        self._replay = False
        self._seen = 0
        self._failed = False

    def replay_after(self, number: int) -> None:
        """Begins with the stored events behind that number instead of with the present."""
        self._seen = number
        self._replay = True

    def add(self, event: Event) -> None:
        if self._overflowed:
            return
        self._size += len(event.data)
        if self._size > BUFFER:
            self._overflowed = True
            self._events.clear()
            if self._resumable:
                self._replay = True
            else:
                detail = {
                    "error": "SlowReader",
                    "message": "The reader fell too far behind the run's events.",
                }
                self._events.append(Event("error", orjson.dumps(detail)))
        else:
            self._events.append(event)
        self._notify()

    async def next(self, timeout: float) -> list[Event] | None:
        """All events at hand; an empty list after `timeout` seconds of silence; None at the end."""
        while True:
            if self._replay:
                events = await self._read()
            else:
                events, self._events, self._size = self._events, [], 0
                if self._overflowed:
                    self.end(RunResult(self.run_id, "error", b"null"))
            if self._resumable:
                events = [event for event in events if event.number > self._seen]
                if events:
                    self._seen = events[-1].number
            if self._modes is not None:
                events = [event for event in events if self._wanted(event)]
            if events:
                self._failed = self._failed or any(event.name.startswith("error") for event in events)
                return events
            if self._events or self._replay:
                continue
            if self._ended is not None:
                return self._end_event(self._ended)
            await self._wait(timeout)
            if not self._events and self._ended is None and not self._replay:
                return []

    def _end_event(self, ended: RunResult) -> list[Event] | None:
        """A run that failed without its graph's doing has sent no `error` event: the end has to say it."""
        if self._failed or ended.status not in ("error", "timeout"):
            return None
        self._failed = True
        answer = orjson.loads(ended.answer)
        return [Event("error", orjson.dumps(answer["__error__"] if isinstance(answer, dict) else answer))]

    async def _read(self) -> list[Event]:
        # What arrives while storage is read is in order and may repeat the end of it: `_seen` drops that.
        self._replay = self._overflowed = False
        self._events, self._size = [], 0
        return await self._read_stored(self._seen)

    def _wanted(self, event: Event) -> bool:
        assert self._modes is not None
        kind = event.name.partition("|")[0].partition("/")[0]
        return (
            kind in ("metadata", "error")
            or kind in self._modes
            or (kind == "messages" and "messages-tuple" in self._modes)
        )
