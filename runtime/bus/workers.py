"""The workers that have said hello to this process: what they say of themselves, and which of them is told what."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable

from runyard.runtime.bus.messages import (
    Broken,
    Drain,
    Ended,
    Flush,
    Flushed,
    FromWorker,
    GiveBack,
    GraphsLoaded,
    Hello,
    Load,
    RunEvents,
    RunsReady,
    WebhookDue,
    Welcome,
)
from runyard.runtime.bus.port import ServerBus

logger = logging.getLogger(__name__)

WAKE_TIMEOUT = 0.1
"""Seconds in which a worker answers a wake-up; then the others are woken too."""
FLUSH_STEPS = 10
FLUSH_STEP = 0.5
"""How often, and for how many seconds, an answer to a flush is waited for; a suspension of this process costs one step,
so that what has come meanwhile is read first."""


class KnownWorker:
    """A worker as this process sees it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.running = 0
        self.room = 0
        self.woken_at: float | None = None


class Workers:
    """Knows workers, and shares wake-ups out among them. All methods run on the API's event loop.

    Nothing here is needed for a run to end: a worker that hears nothing looks into the queue by itself.
    """

    def __init__(self, bus: ServerBus, webhook_due: Callable[[], None]) -> None:
        self._bus = bus
        self.webhook_due = webhook_due
        """To be called when there is a webhook call to make."""
        self._known: dict[str, KnownWorker] = {}
        self._draining = False
        self._flushes: dict[int, set[str]] = {}
        self._flushed = asyncio.Event()
        self._flush_number = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake_timer: asyncio.TimerHandle | None = None
        self._none_since: float | None = None
        self.first_ready = asyncio.Event()
        """Set once a worker has said that it is ready."""
        self._awaited: dict[str, asyncio.Event] = {}
        self.broken: str | None = None
        """Why a worker could not load the graphs."""
        self.graph_names: dict[str, str] = {}
        """What graphs call themselves, as far as that is known before they are run."""
        self.not_loaded: dict[str, str] = {}
        """Graphs that the latest worker could not load, and why."""
        bus.hear_workers(self)

    def stop(self) -> None:
        """Ends what waits for workers."""
        if self._wake_timer is not None:
            self._wake_timer.cancel()
        for task in self._tasks:
            task.cancel()

    def lost(self, worker: str) -> None:
        """A worker has left the bus; its runs are the supervisor's business. Or another server process has."""
        if self._known.pop(worker, None) is not None and not self._known:
            self._none_since = time.monotonic()
        for number in list(self._flushes):
            self._has_flushed(number, worker)

    def heard(self, worker: str | None, message: FromWorker) -> None:
        """A message from a worker."""
        known = None if worker is None else self._known.get(worker)
        if known is not None:
            known.woken_at = None
        if isinstance(message, RunEvents):  # the most frequent
            return
        match message:
            case Ended() if known is not None:
                known.running = max(0, known.running - 1)
                known.room += 1
            case Load(running, room) if known is not None:
                known.running, known.room = running, room
            case RunsReady(count):
                self.wake(count)
            case WebhookDue():
                self.webhook_due()
            case Flushed(number) if worker is not None:
                self._has_flushed(number, worker)
            case Hello(name, pid):
                self._greet(name, pid)
            case GraphsLoaded(names, not_loaded):
                self.graph_names = names
                for detail in {*not_loaded.values()} - {*self.not_loaded.values()}:
                    logger.warning("%s; the other graphs are served", detail)
                self.not_loaded = not_loaded
            case Broken(detail):
                self.broken = detail
                if self.first_ready.is_set():
                    logger.error("a worker cannot start: %s", detail)

    def _greet(self, name: str, pid: int) -> None:
        """The worker listens, and knows by now what is followed. It may say hello more than once."""
        known = self._known.setdefault(name, KnownWorker(pid))
        known.pid = pid
        if self._draining:
            self._bus.tell(Drain(), name)
        self._bus.tell(Welcome(), name)
        self._bus.wake([name])
        self._none_since = None
        self.first_ready.set()
        if name in self._awaited:
            self._awaited.pop(name).set()

    async def flushed(self) -> bool:
        """Returns when all that workers have sent until now is there, those of other server processes too; False: some
        did not answer in time, since code of a graph blocks their event loops."""
        number = self._await_flush({*self._known, *self._bus.elsewhere()})
        self._bus.tell(Flush(number))
        return await self._answered(number)

    def flush_asked(self, server: str, number: int) -> None:
        """Another server process asks for what the workers of this one have said."""
        task = asyncio.create_task(self._flush_for(server, number), name=f"flush for {server}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _flush_for(self, server: str, number: int) -> None:
        own = self._await_flush({*self._known})
        for name in self._known:
            self._bus.tell(Flush(own), name)
        await self._answered(own)
        self._bus.answer_flush(server, number)

    def _await_flush(self, names: set[str]) -> int:
        self._flush_number = number = self._flush_number + 1
        self._flushes[number] = names
        return number

    async def _answered(self, number: int) -> bool:
        for _ in range(FLUSH_STEPS):
            if not self._flushes[number]:
                break
            self._flushed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._flushed.wait(), FLUSH_STEP)
        return not self._flushes.pop(number)

    def _has_flushed(self, number: int, worker: str) -> None:
        awaited = self._flushes.get(number)
        if awaited is not None:
            awaited.discard(worker)
            if not awaited:
                self._flushed.set()

    def awaited(self, name: str) -> asyncio.Event:
        """Will be set once the worker of that name is ready. For before its start."""
        return self._awaited.setdefault(name, asyncio.Event())

    def forget(self, name: str) -> None:
        """Nobody waits for that worker any more."""
        self._awaited.pop(name, None)

    def dropped(self, name: str) -> None:
        """The process of that worker has ended."""
        self._bus.drop(name)

    def busy(self) -> set[str]:
        """The names of the workers that have runs, as far as is known here."""
        return {name for name, worker in self._known.items() if worker.running}

    def pids(self) -> list[int]:
        """The processes of the workers."""
        return [worker.pid for worker in self._known.values()]

    def none_since(self) -> float | None:
        """Since when, by the monotonic clock, no worker has been ready; None: one is, or none has been yet."""
        return self._none_since

    def capacity(self) -> tuple[int, int]:
        """How many workers there are, and how many more runs they would take, as far as is known here."""
        return len(self._known), self._room()

    def _room(self) -> int:
        before = time.monotonic() - WAKE_TIMEOUT
        return sum(each.room for each in self._known.values() if each.woken_at is None or each.woken_at > before)

    def wake(self, ready: int) -> None:
        """Tells workers that so many runs are ready: those of this process first, and others if these have no room for
        all of them."""
        beyond = ready - self._room()
        self.woken(ready)
        if ready > 0 and beyond > 0:
            self._bus.wake_elsewhere(beyond)

    def woken(self, ready: int) -> None:
        """Tells the workers of this process that so many runs are ready."""
        if ready <= 0 or not self._known:
            return
        now = time.monotonic()
        answering = [name for name, worker in self._known.items() if worker.woken_at is None]
        if ready == 1 and answering:
            chosen = [min(answering, key=lambda name: self._known[name].running)]
        else:
            chosen = [*self._known]
        left = ready
        for name in chosen:
            worker = self._known[name]
            if worker.woken_at is None:
                worker.woken_at = now
                worker.running += 1
            taken = min(worker.room, left)
            worker.room -= taken
            left -= taken
        self._bus.wake(chosen)
        if self._wake_timer is None:
            self._wake_timer = asyncio.get_running_loop().call_later(WAKE_TIMEOUT, self._wake_others)

    def _wake_others(self) -> None:
        """A worker that does not answer is busy with something that blocks it: the others may have room."""
        self._wake_timer = None
        answering = [name for name, worker in self._known.items() if worker.woken_at is None]
        if len(answering) < len(self._known):
            self._bus.wake(answering)
            if not self._room():
                self._bus.wake_elsewhere(1)

    def stuck(self, seconds: float) -> bool:
        """Whether no worker has answered a wake-up for that long: something blocks all of them."""
        before = time.monotonic() - seconds
        workers = self._known.values()
        return bool(workers) and all(worker.woken_at is not None and worker.woken_at < before for worker in workers)

    def drain(self) -> None:
        """Asks all workers to stop claiming, finish or give back what they run, and leave, those too that come yet."""
        self._draining = True
        self._bus.tell(Drain())

    def give_back(self, names: Iterable[str]) -> set[str]:
        """Asks these workers to hand back what they run and leave; answers which of them are known."""
        told = {*names} & self._known.keys()
        for name in told:
            self._bus.tell(GiveBack(), name)
        return told
