"""The workers that are connected to this process: what they say, and which of them is told what."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from runyard.runtime.bus.messages import Link, Message, PackedEvent

logger = logging.getLogger(__name__)

WAKE_TIMEOUT = 0.1
"""Seconds in which a worker answers a wake-up; then the others are woken too."""
FLUSH_STEPS = 10
FLUSH_STEP = 0.5
"""How often, and for how many seconds, an answer to a flush is waited for; a suspension of this process costs one step,
so that what has come meanwhile is read first."""


class RunListener(Protocol):
    """Is told what workers say about runs, and knows what a worker has to be told when it connects."""

    def publish(self, run_id: str, thread_id: str, events: Sequence[PackedEvent]) -> None:
        """Events of a run, in order."""

    def events_stored(self, run_id: str, thread_id: str, number: int) -> None:
        """The number of a run's last stored event."""

    def run_ended(
        self, run_id: str, thread_id: str, status: str, answer: bytes | None, last: int, waited: float, ran: float
    ) -> None:
        """The end of a run; `answer` None: nobody was known to ask for it. `last`: the number of its last stored event;
        0 if there is none. Times in seconds."""

    def interests(self) -> Iterable[Message]:
        """What is followed now, as messages to a worker."""


class ConnectedWorker:
    """A worker as this process sees it."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.name: str | None = None
        self.pid = 0
        self.running = 0
        self.woken_at: float | None = None
        self.ready = False
        """Whether it has said hello and can be told something."""


class Workers:
    """Routes messages from and to workers. All methods run on the API's event loop.

    Nothing here is needed for a run to end: a worker that hears nothing looks into the queue by itself.
    """

    def __init__(self, webhook_due: Callable[[], None]) -> None:
        self.webhook_due = webhook_due
        """To be called when there is a webhook call to make."""
        self._listener: RunListener | None = None
        self._connected: dict[Link, ConnectedWorker] = {}
        self._draining = False
        self._flushes: dict[int, set[Link]] = {}
        self._flushed = asyncio.Event()
        self._flush_number = 0
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

    def listen(self, listener: RunListener) -> None:
        """Who hears of runs; before the first worker connects."""
        self._listener = listener

    def stop(self) -> None:
        """Ends what waits for workers."""
        if self._wake_timer is not None:
            self._wake_timer.cancel()

    def attach(self, link: Link) -> None:
        """A worker has connected; it is told nothing before it says hello."""
        self._connected[link] = ConnectedWorker(link)

    def detach(self, link: Link) -> None:
        """A worker's connection has ended; its runs are the supervisor's business."""
        worker = self._connected.pop(link, None)
        if worker is not None and worker.pid and not self.pids():
            self._none_since = time.monotonic()
        for number in list(self._flushes):
            self._has_flushed(number, link)

    def receive(self, link: Link, message: Message) -> None:
        """A message from a worker."""
        worker = self._connected.get(link)
        if worker is None or self._listener is None:
            return
        worker.woken_at = None
        match message[0]:
            case "events":
                self._listener.publish(message[1], message[2], message[3])
            case "ended":
                worker.running = max(0, worker.running - 1)
                self._listener.run_ended(*message[1:])
            case "load":
                worker.running = message[1]
            case "ready":
                self.wake(message[1])
            case "webhook":
                self.webhook_due()
            case "stored":
                self._listener.events_stored(*message[1:])
            case "flushed":
                self._has_flushed(message[1], link)
            case "hello":
                self._greet(worker, *message[1:])
            case "graphs":
                self.graph_names = message[1]
                for detail in {*message[2].values()} - {*self.not_loaded.values()}:
                    logger.warning("%s; the other graphs are served", detail)
                self.not_loaded = message[2]
            case "broken":
                self.broken = message[1]
                if self.first_ready.is_set():
                    logger.error("a worker cannot load the graphs: %s", message[1])

    def _greet(self, worker: ConnectedWorker, name: str, pid: int) -> None:
        """Tells a worker that can listen now all that others were told before. It may say hello more than once."""
        assert self._listener is not None
        for other in [other for other in self._connected.values() if other.name == name and other is not worker]:
            self.detach(other.link)  # what it had before this connection
        worker.name, worker.pid, worker.ready = name, pid, True
        for message in self._listener.interests():
            worker.link.send(*message)
        if self._draining:
            worker.link.send("drain")
        worker.link.send("welcome")
        worker.link.send("wake")
        self._none_since = None
        self.first_ready.set()
        if name in self._awaited:
            self._awaited.pop(name).set()

    def _ready(self) -> list[ConnectedWorker]:
        return [worker for worker in self._connected.values() if worker.ready]

    async def flushed(self) -> bool:
        """Returns when all that connected workers have sent until now is there; False: some did not answer in time,
        since code of a graph blocks their event loops."""
        self._flush_number = number = self._flush_number + 1
        self._flushes[number] = {worker.link for worker in self._ready()}
        for link in [*self._flushes[number]]:
            link.send("flush", number)
        for _ in range(FLUSH_STEPS):
            if not self._flushes[number]:
                break
            self._flushed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._flushed.wait(), FLUSH_STEP)
        return not self._flushes.pop(number)

    def _has_flushed(self, number: int, link: Link) -> None:
        awaited = self._flushes.get(number)
        if awaited is not None:
            awaited.discard(link)
            if not awaited:
                self._flushed.set()

    def awaited(self, name: str) -> asyncio.Event:
        """Will be set once the worker of that name is ready. For before its start."""
        return self._awaited.setdefault(name, asyncio.Event())

    def forget(self, name: str) -> None:
        """Nobody waits for that worker any more."""
        self._awaited.pop(name, None)

    def dropped(self, name: str) -> None:
        """The process of that worker has ended, whoever may still hold its end of the connection."""
        for link, worker in list(self._connected.items()):
            if worker.name == name:
                self.detach(link)
                link.close()

    def busy(self) -> set[str]:
        """The names of the workers that have runs, as far as is known here."""
        return {worker.name for worker in self._connected.values() if worker.running and worker.name is not None}

    def pids(self) -> list[int]:
        """The processes of the connected workers that are ready."""
        return [worker.pid for worker in self._connected.values() if worker.pid]

    def none_since(self) -> float | None:
        """Since when, by the monotonic clock, no worker has been ready; None: one is, or none has been yet."""
        return self._none_since

    def wake(self, ready: int) -> None:
        """Tells workers that so many runs are ready."""
        workers = self._ready()
        if ready <= 0 or not workers:
            return
        now = asyncio.get_running_loop().time()
        answering = [worker for worker in workers if worker.woken_at is None]
        if ready == 1 and answering:
            chosen: Iterable[ConnectedWorker] = [min(answering, key=lambda worker: worker.running)]
        else:
            chosen = workers
        for worker in chosen:
            if worker.woken_at is None:
                worker.woken_at = now
                worker.running += 1
            worker.link.send("wake")
        if self._wake_timer is None:
            self._wake_timer = asyncio.get_running_loop().call_later(WAKE_TIMEOUT, self._wake_others)

    def _wake_others(self) -> None:
        """A worker that does not answer is busy with something that blocks it: the others may have room."""
        self._wake_timer = None
        workers = self._ready()
        if any(worker.woken_at is not None for worker in workers):
            for worker in workers:
                if worker.woken_at is None:
                    worker.link.send("wake")

    def stuck(self, seconds: float) -> bool:
        """Whether no worker has answered a wake-up for that long: something blocks all of them."""
        before = asyncio.get_running_loop().time() - seconds
        workers = self._ready()
        return bool(workers) and all(worker.woken_at is not None and worker.woken_at < before for worker in workers)

    def drain(self) -> None:
        """Asks all workers to stop claiming, finish or give back what they run, and leave, those too that come yet."""
        self._draining = True
        self.broadcast("drain")

    def give_back(self, names: Iterable[str]) -> set[str]:
        """Asks these workers to hand back what they run and leave; answers which of them are connected."""
        told = {worker.name: worker for worker in self._connected.values() if worker.name in {*names}}
        for worker in told.values():
            worker.link.send("give_back")
        return {name for name in told if name is not None}

    def broadcast(self, *message: Any) -> None:
        """Tells all workers that are ready; others are told what still matters once they are."""
        for worker in self._ready():
            worker.link.send(*message)
