"""Both ends of a bus, and what each of them is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from runyard.runtime.bus.messages import (
    Ended,
    EventsStored,
    Followed,
    FromWorker,
    Hello,
    PackedEvent,
    RunEvents,
    ToWorker,
)
from runyard.runtime.bus.port import ServerBus, WorkerBus

Said = tuple[str | None, FromWorker]
TIMEOUT = 60.0


class Heard:
    """Everything that an API process hears, in order."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[Said] = asyncio.Queue()
        self.runs: list[FromWorker] = []
        self.lost_workers: asyncio.Queue[str] = asyncio.Queue()
        self.followed: list[Followed] = []
        self.elsewhere: list[bool] = []
        """Of each end of a run, whether its worker is one of another server process."""
        self.looked_at: asyncio.Queue[Sequence[str]] = asyncio.Queue()
        self.edited: list[str] = []
        self.looks = 0
        self.withheld: list[str] = []
        self.ready: asyncio.Queue[int] = asyncio.Queue()
        self.flushes: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self.workers, self.room = 1, 1

    def publish(self, run_id: str, thread_id: str, events: Sequence[PackedEvent], first: int, before: int) -> None:
        self.runs.append(RunEvents(run_id, thread_id, list(events), first, before))

    def events_stored(self, run_id: str, thread_id: str, number: int) -> None:
        self.runs.append(EventsStored(run_id, thread_id, number))

    def run_ended(
        self,
        run_id: str,
        thread_id: str,
        status: str,
        answer: bytes | None,
        last: int,
        waited: float,
        ran: float,
        *,
        elsewhere: bool = False,
    ) -> None:
        self.elsewhere.append(elsewhere)
        self.runs.append(Ended(run_id, thread_id, status, answer, last, waited, ran))

    def interests(self) -> Iterable[Followed]:
        return self.followed

    def heard(self, worker: str | None, message: FromWorker) -> None:
        self.said.put_nowait((worker, message))

    def lost(self, worker: str) -> None:
        self.lost_workers.put_nowait(worker)

    def refresh_results(self, run_ids: Sequence[str]) -> None:
        self.looked_at.put_nowait(run_ids)

    def events_withheld(self, run_id: str, thread_id: str) -> None:
        self.withheld.append(run_id)

    def state_edited(self, thread_id: str) -> None:
        self.edited.append(thread_id)

    def look_again(self) -> None:
        self.looks += 1

    def woken(self, ready: int) -> None:
        self.ready.put_nowait(ready)

    def flush_asked(self, server: str, number: int) -> None:
        self.flushes.put_nowait((server, number))

    def capacity(self) -> tuple[int, int]:
        return self.workers, self.room

    async def until(self, message: FromWorker) -> list[Said]:
        """What is said up to that message, with it."""
        said = [await asyncio.wait_for(self.said.get(), TIMEOUT)]
        while said[-1][1] != message:
            said.append(await asyncio.wait_for(self.said.get(), TIMEOUT))
        return said


class Told:
    """A worker that keeps what it is told."""

    def __init__(self, name: str, bus: WorkerBus) -> None:
        self.name = name
        self.bus = bus
        self.messages: asyncio.Queue[ToWorker] = asyncio.Queue()

    def says_hello(self) -> None:
        """Listens."""
        self.bus.listen(self.messages.put_nowait)
        self.bus.send(Hello(self.name, 1))

    async def next(self) -> ToWorker:
        return await asyncio.wait_for(self.messages.get(), TIMEOUT)

    async def until(self, last: ToWorker) -> list[ToWorker]:
        """What it is told before that message."""
        told: list[ToWorker] = []
        while (message := await self.next()) != last:
            told.append(message)
        return told


class Backend:
    """An API process's end of a bus, and workers that join it."""

    def __init__(self, server: ServerBus, join: Callable[[], Awaitable[WorkerBus]]) -> None:
        self.server = server
        self.hears = Heard()
        server.hear_runs(self.hears)
        server.hear_workers(self.hears)
        self._join = join

    async def join(self, name: str) -> Told:
        """A worker that has yet to say hello."""
        return Told(name, await self._join())

    async def greeted(self, name: str) -> Told:
        """A worker that has said hello."""
        worker = await self.join(name)
        worker.says_hello()
        await self.hears.until(Hello(name, 1))
        return worker
