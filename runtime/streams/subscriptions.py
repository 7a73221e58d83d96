"""What follows a run from outside: its events, or only its end."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson

from runyard.runtime.storage.port.runs import RunResult
from runyard.runtime.streams.backlog import Backlog, Buffer
from runyard.runtime.streams.cuts import cut, slow_reader
from runyard.runtime.streams.events import Event
from runyard.runtime.streams.selection import View

ReadStored = Callable[[int], Awaitable[list[Event]]]
"""Reads the next stored events of a run that come after a number."""


class Subscription:
    """Something that waits for the end of a run. Whoever opened it has to close it, which calls `unsubscribe`."""

    def __init__(self, run_id: str, unsubscribe: Callable[[Any], None], *, announced: bool) -> None:
        self._unsubscribe = unsubscribe
        self.run_id = run_id
        self.announced = announced
        """Whether workers were told about it: the run was there before the subscription."""
        self.since = asyncio.get_running_loop().time()
        self.run_exists = True
        """False while the run is yet to be written, which may take long: storage cannot be asked about it."""
        self._ended: RunResult | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def may_be_cut(self) -> bool:
        """Whether something is missing when the end comes from elsewhere than from the run's worker."""
        return False

    def end(self, ended: RunResult, *, untold: bool = False) -> None:
        """The run has ended. `untold`: its worker did not say so, nor what came before."""
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

    Those of a resumable run have numbers, each is sent with that of the one before, and the run's end names the last:
    what is missing, for whatever reason, is read from storage, a page whenever the reader has taken the one before. The
    stream of another run says with an `error` event that something is missing.
    """

    def __init__(
        self,
        run_id: str,
        unsubscribe: Callable[[Any], None],
        read_stored: ReadStored,
        backlog: Backlog,
        *,
        announced: bool,
        resumable: bool,
        after: int = 0,
        replay: bool = False,
        view: View | None = None,
    ) -> None:
        """Begins behind the event `after` of a resumable run. `replay`: more events than that may be stored."""
        super().__init__(run_id, unsubscribe, announced=announced)
        self._read_stored = read_stored
        self.resumable = resumable
        self._view = view
        self._buffer = Buffer(backlog, self._overflowed)
        self._seen = self._newest = after
        self._received: int | None = None if announced else 0
        """How many events of a run's attempt have come that are not stored; None: it may have begun before."""
        self._behind = replay
        self._cut: Event | None = None
        self._failed = False

    @property
    def may_be_cut(self) -> bool:
        return not self.resumable

    def add(self, events: Sequence[Event], before: int = 0) -> None:
        """Events of the run, in order. `before`: the number of its last stored event before them; of events that are
        not stored, how many of this attempt came before."""
        if self.resumable:
            seen, self._newest = self._newest, max(self._newest, events[-1].number)
            if before > seen or (self._behind and self._newest > seen):
                self._fall_behind()
                return
            events = [event for event in events if event.number > seen]
        else:
            self.reaches(before)
            self._received = before + len(events)
        for event in events:
            if self._cut is None and not self._behind:  # either may happen to the one before
                self._buffer.put(event)
        self._notify()

    def reaches(self, count: int) -> None:
        """So many events of this attempt were sent, of a run whose events are not stored. Some of them may be missing:
        then the stream ends, and says so. Fewer than before: another attempt has begun."""
        if self._received is not None and count > self._received:
            self.miss()

    def miss(self) -> None:
        """Some of what the run says does not come. Where it is not stored, the stream ends, and says so."""
        if self._cut is None and not self.resumable:
            self._cut = cut(self.run_id)
            self.end(RunResult(self.run_id, "interrupted", b"null"))

    def stored(self, number: int) -> None:
        """The run's events up to that number are stored; the last of them may not have come."""
        if self.resumable and number > self._newest:
            self._newest = number
            self._fall_behind()

    def end(self, ended: RunResult, *, untold: bool = False) -> None:
        if self._ended is None:
            self.stored(ended.last_event)
            if untold and self._cut is None and not self.resumable:
                self._cut = cut(self.run_id)
            super().end(ended)

    async def close(self) -> None:
        self._buffer.close()
        await super().close()

    def _fall_behind(self) -> None:
        self._behind = True
        self._buffer.clear()
        self._notify()

    def _overflowed(self, _: list[Event]) -> None:
        if self.resumable:
            self._fall_behind()
        else:
            self._cut = slow_reader(self.run_id)
            self.end(RunResult(self.run_id, "interrupted", b"null"))

    async def next(self, timeout: float) -> list[Event] | None:
        """The next events at hand; an empty list after `timeout` seconds of silence; None at the end."""
        while True:
            events = await self._read() if self._behind else self._buffer.take()
            if events:
                if self.resumable:
                    self._seen = events[-1].number
                    self._newest = max(self._newest, self._seen)
                if self._view is not None:
                    events = [shown for event in events if (shown := self._view(event)) is not None]
                self._failed = self._failed or any(event.name.startswith("error") for event in events)
                if events:
                    return events
            elif not self._behind:
                if self._ended is not None:
                    return self._end_events(self._ended)
                await self._wait(timeout)
                if not self._buffer and not self._behind and self._ended is None:
                    return []

    def _end_events(self, ended: RunResult) -> list[Event] | None:
        """A run that failed without its graph's doing has sent no `error` event: the end has to say it."""
        if self._failed:
            return None
        self._failed = True
        if ended.status in ("error", "timeout"):
            answer = orjson.loads(ended.answer)
            return [Event("error", orjson.dumps(answer["__error__"] if isinstance(answer, dict) else answer))]
        return None if self._cut is None else [self._cut]

    async def _read(self) -> list[Event]:
        newest = self._newest
        events = await self._read_stored(self._seen)
        if not events and newest == self._newest:
            # An event is stored before it is sent, so this is all; `add` takes over.
            if self._seen < newest:
                self._cut = cut(self.run_id)  # they are not kept any longer
            self._behind = False
        return events
