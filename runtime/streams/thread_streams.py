"""The streams of threads: what their runs say, and that they have ended."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from runyard.runtime.bus.messages import FollowThread
from runyard.runtime.bus.port import ServerBus
from runyard.runtime.bus.workers import Workers
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.events import RunEnd
from runyard.runtime.storage.port.runs import RunResult
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.backlog import Backlog
from runyard.runtime.streams.events import Event, EventLog
from runyard.runtime.streams.outages import looking, outlasting
from runyard.runtime.streams.protocol_events import EventFilter
from runyard.runtime.streams.protocol_log import ProtocolLog
from runyard.runtime.streams.protocol_subscription import ProtocolSubscription
from runyard.runtime.streams.thread_subscription import ThreadSubscription

ENDS_TOGETHER = 500
"""Ends that one read answers."""
CHECKED_TOGETHER = 100
"""Threads that are looked at before others get their turn."""


@dataclass(slots=True)
class _Followed:
    """A thread that is followed: by whom, up to which number of its log ends were told, and the runs of the last few
    of them."""

    told: int
    told_runs: deque[str] = field(default_factory=partial(deque, maxlen=64))
    streams: list[ThreadSubscription] = field(default_factory=list)
    received: dict[str, int] = field(default_factory=dict)
    """How many events of a run's attempt have come that are not stored, by run."""


class ThreadStreams:
    """Ends are told in the order in which storage has them; those whose worker said so at once, others when all that
    workers have sent is there: so that no end comes before the events of its run."""

    def __init__(self, storage: Storage, bus: ServerBus, workers: Workers, backlog: Backlog) -> None:
        self._storage = storage
        self._log = EventLog(storage.events)
        self._protocol = ProtocolLog(storage.events)
        self._bus = bus
        self._workers = workers
        self._backlog = backlog
        self._followed: dict[str, _Followed] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Ends what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def subscribe(self, thread_id: str, modes: frozenset[str], after: str | None) -> ThreadSubscription:
        """The events of all runs of a thread, those to come included, until it is closed."""

        def read_log(after: int, upto: int) -> AsyncIterator[list[Event]]:
            return self._log.of_thread(thread_id, after=after, upto=upto)

        last = await self._storage.events.last_of_thread(thread_id)
        stream = ThreadSubscription(
            thread_id,
            self._unsubscribe,
            read_log,
            partial(outlasting, partial(self._storage.threads.values, Scope.everything(), thread_id)),
            self._backlog,
            modes,
            last=last,
            after=after,
        )
        await self._follow(stream, last)
        return stream

    async def subscribe_events(self, thread_id: str, filters: Sequence[EventFilter]) -> ProtocolSubscription:
        """The protocol's events of a thread, until it is closed."""

        def read_log(after: int, upto: int) -> AsyncIterator[list[Event]]:
            return self._protocol.of_thread(thread_id, after=after, upto=upto)

        last = await self._storage.events.last_of_thread(thread_id)
        stream = ProtocolSubscription(thread_id, self._unsubscribe, read_log, self._backlog, filters, last=last)
        await self._follow(stream, last)
        return stream

    async def _follow(self, stream: ThreadSubscription, last: int) -> None:
        """Whoever makes a run of the thread behind this, at whichever server, has its first events told here."""
        self._followed.setdefault(stream.thread_id, _Followed(last)).streams.append(stream)
        self._bus.follow_thread(stream.thread_id)
        try:
            await self._bus.confirmed()
        except asyncio.CancelledError:
            await stream.close()
            raise

    def _unsubscribe(self, stream: ThreadSubscription) -> None:
        followed = self._followed.get(stream.thread_id)
        if followed is None or stream not in followed.streams:
            return
        followed.streams.remove(stream)
        if not followed.streams:
            del self._followed[stream.thread_id]
            self._bus.unfollow_thread(stream.thread_id)

    def interests(self) -> Iterator[FollowThread]:
        """What is followed now."""
        for thread_id in self._followed:
            yield FollowThread(thread_id)

    def of(self, thread_id: str) -> Sequence[ThreadSubscription]:
        """Those who follow the thread."""
        followed = self._followed.get(thread_id)
        return () if followed is None else followed.streams

    def deleted(self, thread_id: str) -> None:
        """The thread is no more: its streams end."""
        followed = self._followed.pop(thread_id, None)
        if followed is not None:
            for stream in followed.streams:
                stream.end(RunResult("", "interrupted", b"null"))
            self._bus.unfollow_thread(thread_id)

    def publish(self, run_id: str, thread_id: str, events: Sequence[Event], before: int | None) -> None:
        """Events of a run, in order. `before`: when they are not stored, how many of its attempt were sent before."""
        followed = self._followed.get(thread_id)
        if followed is None:
            return
        if before is not None:
            self._look_for_gap(followed, run_id, before)
            followed.received[run_id] = before + len(events)
        for stream in followed.streams:
            stream.add(events)

    @staticmethod
    def _look_for_gap(followed: _Followed, run_id: str, count: int) -> None:
        if count > followed.received.get(run_id, count):
            for stream in followed.streams:
                stream.run_cut(run_id)

    # Ends

    def run_ended(self, run_id: str, thread_id: str, last: int) -> None:
        """A worker said so, after all that it had to say of the run. `last`: as `Ended` has it."""
        followed = self._followed.get(thread_id)
        if followed is not None:
            if run_id in followed.received:
                self._look_for_gap(followed, run_id, last)
                del followed.received[run_id]
            self._spawn(self._tell_told(run_id, thread_id))

    def check(self) -> None:
        """Ends may have been written of which no worker told."""
        if self._followed:
            self._spawn(self._tell_untold())

    async def read_stored(self) -> None:
        """Finds events of which nobody has told."""
        for thread_id in list(self._followed):
            last = await self._storage.events.last_of_thread(thread_id)
            for stream in self.of(thread_id):
                stream.stored(last)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(looking(work, "the ends of runs"))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell_told(self, run_id: str, thread_id: str) -> None:
        ends = await self._ends(thread_id)
        followed = self._followed.get(thread_id)
        if followed is None:
            return
        for end in ends:
            self._tell(followed, end)
        if run_id not in followed.told_runs and not await self._is_written(thread_id, followed.told, run_id):
            # That of a temporary run is not written; its thread may have ended with it.
            for stream in followed.streams:
                stream.run_done(run_id, None)
            if await self._storage.threads.graph_ids(Scope.everything(), thread_id) is None:
                self.deleted(thread_id)

    async def _is_written(self, thread_id: str, told: int, run_id: str) -> bool:
        """Whether the end of a run is among the last that are in the log up to that number: then it was told, or was
        written before its thread was followed."""
        found = await self._storage.events.ends(thread_id, max(0, told - ENDS_TOGETHER), limit=ENDS_TOGETHER)
        return any(end.run_id == run_id for end in found.ends)

    async def _tell_untold(self) -> None:
        suspected: list[str] = []
        for count, thread_id in enumerate(list(self._followed)):
            if count % CHECKED_TOGETHER == CHECKED_TOGETHER - 1:
                await asyncio.sleep(0)
            if (
                await self._ends(thread_id)
                or await self._storage.threads.graph_ids(Scope.everything(), thread_id) is None
            ):
                suspected.append(thread_id)
        if not suspected:
            return
        await self._workers.flushed()
        for thread_id in suspected:
            ends = await self._ends(thread_id)
            followed = self._followed.get(thread_id)
            if followed is None:
                continue
            for end in ends:
                if followed.told < end.last:
                    self._tell_late(followed, end)
            if await self._storage.threads.graph_ids(Scope.everything(), thread_id) is None:
                self.deleted(thread_id)

    async def _ends(self, thread_id: str) -> Sequence[RunEnd]:
        """Those that are to be told."""
        followed = self._followed.get(thread_id)
        if followed is None:
            return ()
        found = await self._storage.events.ends(thread_id, followed.told, limit=ENDS_TOGETHER)
        if not found.ends:
            followed.told = max(followed.told, found.upto)
        return found.ends

    @staticmethod
    def _tell(followed: _Followed, end: RunEnd) -> None:
        if followed.told < end.last:
            followed.told = end.last
            followed.told_runs.append(end.run_id)
            for stream in followed.streams:
                stream.run_done(end.run_id, end.last)

    @staticmethod
    def _tell_late(followed: _Followed, end: RunEnd) -> None:
        """Events may be missing before the end: storage has them, and the end among them."""
        followed.told = end.last
        followed.told_runs.append(end.run_id)
        for stream in followed.streams:
            if end.unstored:
                stream.run_cut(end.run_id)
            stream.stored(end.last)
            stream.state_changed()
