"""The events of one run on their way out of the worker."""

import asyncio
from collections import deque
from collections.abc import Callable

import ormsgpack

from runyard.runtime.bus.messages import EventsStored, PackedEvent, RunEvents
from runyard.runtime.bus.port import WorkerBus
from runyard.runtime.errors import LeaseLost, Unavailable
from runyard.runtime.storage.port.events import EventStorage, NewEvents
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.streams.events import PAGE

RETRY_PAUSE = 0.25
"""Seconds before events are stored that could not be."""
GATHERING = 0.005
"""Seconds from one write to the next, for the events that come meanwhile. Each costs several changes of threads, and on
a busy machine as many waits."""
MOST_WAITING = 64 * 1024 * 1024
"""Bytes of events that wait for storage; with more, the attempt at the run fails."""


class Publisher:
    """Sends a run's events to those who follow it, those of one turn of the loop together.

    Events of a resumable run are stored before they are sent, and get their numbers there: whoever has seen an event
    can go on behind it, whatever happens to the processes.
    """

    def __init__(
        self,
        lease: Lease,
        bus: WorkerBus,
        storage: EventStorage,
        *,
        resumable: bool,
        followed: bool,
        lost: Callable[[], None],
        asked: bool = False,
    ) -> None:
        """`followed`: whether somebody watches; `asked`: whether somebody was to when the run was written. `lost` is
        called when storage refuses events."""
        self._lease = lease
        self._bus = bus
        self._storage = storage
        self._resumable = resumable
        self.followed = followed
        self._stored = 0
        self._goes_on = resumable and lease.attempt > 1
        """Earlier attempts may have stored events, and it is not known how many."""
        self._sent = 0
        self._asked = asked
        self._lost = lost
        self._waiting: list[PackedEvent] = []
        self._emitted = self._settled = 0
        self._marks: deque[tuple[int, Callable[[], None]]] = deque()
        self._loop = asyncio.get_running_loop()
        self._sending: asyncio.Task[None] | None = None
        self._scheduled = False
        self._written = 0.0
        """When the last write began, by the loop's clock."""
        self._gathering: asyncio.Future[None] | None = None
        self._closing = False
        self._failure: Exception | None = None

    @property
    def failure(self) -> Exception | None:
        """Why events of the run are not stored, and no others will be; the attempt at it has failed."""
        if self._failure is None and self._sending is not None and self._sending.done():
            self._failure = self._cancelled()  # before its first step
        return self._failure

    def _cancelled(self) -> Unavailable:
        return Unavailable(f"run {self._lease.run_id} has cancelled what stores its events")

    @property
    def resumable(self) -> bool:
        """Whether events are stored."""
        return self._resumable

    async def go_on(self) -> None:
        """Learns what earlier attempts have stored, behind which the events of this one come. Raises Unavailable."""
        if self._goes_on:
            last = await self._storage.last(self._lease.run_id)
            self._goes_on, self._stored = False, max(last, self._stored)

    @property
    def last(self) -> int:
        """The number of the last event that is stored, 0 when none are; of events that are not stored, how many were
        sent."""
        return self._stored if self._resumable else self._sent

    def follow(self, followed: bool) -> None:
        """Whether somebody watches, from now on. Who begins to, or may have missed some, is told how many events there
        are by now."""
        lease = self._lease
        if followed and self._resumable:
            self._bus.send(EventsStored(lease.run_id, lease.thread_id, self._stored))
        elif followed and self._sent:
            self._send()
            self._bus.send(RunEvents(lease.run_id, lease.thread_id, [], 0, self._sent))
        self.followed = followed

    def wanted(self) -> bool:
        """Whether anybody can ever see an event that is emitted now."""
        return self._resumable or self.followed

    def emit(self, name: str, data: bytes) -> None:
        """Takes an event; never blocks."""
        if self._resumable:
            if self._failure is not None:
                return
            self._waiting.append((name, data))
            self._emitted += 1
            if self._sending is None:
                self._sending = self._loop.create_task(self._store_and_send())
        elif self.followed:
            self._waiting.append((name, data))
            if not self._scheduled:
                self._scheduled = True
                self._loop.call_soon(self._send)

    def when_stored(self, call: Callable[[], None]) -> None:
        """Calls back, on the loop, once what was emitted until now is stored, or never will be: see `failure`."""
        if self._settled == self._emitted or self.failure is not None:
            call()
        else:
            self._marks.append((self._emitted, call))
            self._hasten()

    async def close(self) -> None:
        """Returns when everything is on its way. Raises `failure`: LeaseLost when storage refused some of it,
        Unavailable when too much of it waited."""
        await self.go_on()  # who was stopped before it began ends behind earlier attempts, too
        if self._sending is not None:
            self._closing = True
            self._hasten()
            await asyncio.wait({self._sending})
        if (failure := self.failure) is not None:
            raise failure
        self._send()

    def _hasten(self) -> None:
        """What was emitted is waited for."""
        if self._gathering is not None and not self._gathering.done():
            self._gathering.set_result(None)

    async def _gather(self) -> None:
        """Waits for more events to write at once, right after a write."""
        left = self._written + GATHERING - self._loop.time()
        if left > 0 and not (self._marks or self._closing):
            self._gathering = self._loop.create_future()
            timer = self._loop.call_later(left, self._hasten)
            await self._gathering
            timer.cancel()
            self._gathering = None
        self._written = self._loop.time()

    def _send(self) -> None:
        self._scheduled = False
        if self._waiting:
            events, self._waiting = self._waiting, []
            self._publish(events, 0)

    def _publish(self, events: list[PackedEvent], first: int) -> None:
        if self.followed:
            lease, before = self._lease, first - 1 if first else self._sent
            self._bus.send(RunEvents(lease.run_id, lease.thread_id, events, first, before, self._asked))
            if not first:
                self._sent += len(events)

    async def _store_and_send(self) -> None:
        try:
            await self.go_on()
            while self._waiting:
                await self._gather()
                events, self._waiting = self._waiting, []
                last = await self._append(events)
                self._publish(events, last - len(events) + 1)
                self._stored = last
                self._settle(len(events))
            self._sending = None
        except LeaseLost as error:
            self._failure = error
            self._lost()
        except Exception as error:  # noqa: BLE001 - `close` raises it
            self._failure = error
        except asyncio.CancelledError:  # a node may cancel all that belongs to its run
            self._failure = self._cancelled()
        finally:
            if self._failure is not None:
                self._waiting.clear()
            self._settle(self._emitted - self._settled)

    async def _append(self, events: list[PackedEvent]) -> int:
        """Stores events, however often that fails for a reason that may pass: a stream that is to be resumed has no
        gaps. The number of the last one."""
        failed = False
        while True:
            try:
                # An attempt that has failed may have been kept, if only its answer was lost.
                if failed and (last := await self._storage.last(self._lease.run_id)) > self._stored:
                    return last
                return await self._storage.append(self._lease, _packed(events))
            except Unavailable:
                failed = True
                if sum(len(data) for _, data in (*events, *self._waiting)) > MOST_WAITING:
                    raise
                await asyncio.sleep(RETRY_PAUSE)

    def _settle(self, events: int) -> None:
        self._settled += events
        while self._marks and self._marks[0][0] <= self._settled:
            self._marks.popleft()[1]()


def _packed(events: list[PackedEvent]) -> list[NewEvents]:
    """The events in pieces that can be read one by one."""
    pieces: list[NewEvents] = []
    piece: list[PackedEvent] = []
    size = 0
    for event in events:
        if piece and size + len(event[1]) > PAGE:
            pieces.append(NewEvents(len(piece), ormsgpack.packb(piece)))
            piece, size = [], 0
        piece.append(event)
        size += len(event[1])
    pieces.append(NewEvents(len(piece), ormsgpack.packb(piece)))
    return pieces
