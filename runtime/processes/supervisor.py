"""Keeps the worker processes alive, and takes the runs of a dead one back at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Iterable
from pathlib import Path

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.workers import Workers
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.processes.dead_workers import DeadWorkers
from runyard.runtime.processes.frozen_workers import FrozenWorkers
from runyard.runtime.processes.signs_of_life import SignsOfLife
from runyard.runtime.processes.spawning import WorkerSpawner
from runyard.runtime.processes.suspects import Suspects
from runyard.runtime.processes.worker_processes import WorkerProcess, WorkerProcesses
from runyard.runtime.processes.worker_slot import WorkerSlot
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.broker import Broker

logger = logging.getLogger(__name__)

WATCH_INTERVAL = 1.0
"""Seconds between looks at workers that are connected."""
STUCK_AFTER = 2.0
"""Seconds without an answer of any worker after which one more is started, up to twice as many in all."""
RETIRE_GRACE = 6.0
"""Seconds in which a worker that was replaced has to end; a sync node may hold it, or code that blocks its loop."""
HAND_BACK = 5.0
"""Seconds beyond the grace period, for all workers together, in which they hand back what they still run."""
LAST_WRITE = 2.0
"""Seconds for taking back the runs of workers that had to be ended."""


class Supervisor:
    """Starts the worker processes of the settings and replaces those that die; with none, sees to those elsewhere."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        broker: Broker,
        workers: Workers,
        spawner: WorkerSpawner,
        socket: Path,
        loops: Loops,
        *,
        local: str | None = None,
    ) -> None:
        """`local`: the worker within this process, if there is one."""
        self._settings = settings
        self._workers = workers
        self._loops = loops
        self._processes = WorkerProcesses(settings, spawner, socket)
        self._dead = DeadWorkers(settings, storage, broker, workers, loops)
        self._suspects = Suspects(settings, storage.queue, workers, self._processes, self._ended, loops)
        self._frozen = FrozenWorkers(settings, storage.workers, self._processes, loops)
        self._signs = SignsOfLife(settings, storage.workers, self._processes, self._dead, loops, local=local)
        self._watch = BackgroundLoop("watching workers", self._look, loops)
        self._slots: list[WorkerSlot] = []
        self._slots_made = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._first_death = asyncio.Event()
        self._spare = 0
        self._stopping = False

    async def start(self, ended: Iterable[str] = ()) -> None:
        """Takes over what an earlier server left, then starts the workers; returns when they are ready. `ended`:
        workers of earlier servers whose processes have."""
        for name in ended:
            self._dead.add(name, surely=True)
        await self._signs.find_dead()
        with contextlib.suppress(Unavailable):  # it is tried again, by the loop
            await self._dead.take_back_all()
        self._dead.start()
        self._signs.start()
        if self._settings.role != "api":
            for part in (self._suspects, self._frozen, self._watch):
                part.start()
        for _ in range(self._settings.worker_processes):
            self._add_slot()
        if self._settings.worker_processes:
            await self._first_ready()

    async def _first_ready(self) -> None:
        """Waits until one worker is ready. Raises ConfigError when the graphs are broken, Unavailable when a worker
        dies before any is ready: then all of them would."""
        ready = asyncio.create_task(self._workers.first_ready.wait())
        died = asyncio.create_task(self._first_death.wait())
        await asyncio.wait({ready, died}, return_when=asyncio.FIRST_COMPLETED)
        for task in (ready, died):
            task.cancel()
        if self._workers.first_ready.is_set():
            return
        if self._workers.broken is not None:
            raise ConfigError(self._workers.broken)
        raise Unavailable("the worker processes end before they are ready; the lines above say why")

    async def stop(self) -> None:
        """Asks all workers to leave, and returns when they have: after the grace period at the latest, and a moment
        for what they hand back."""
        self._stopping = True
        await self._suspects.stop()
        for slot in self._slots:
            slot.close()
        for worker in self._processes.all():
            worker.retired = True  # runs are not to blame for one that has to be killed
        self._workers.drain()
        await self._processes.stop(self._settings.shutdown_grace + HAND_BACK)
        for part in (self._watch, self._signs, self._frozen, self._dead):
            await part.stop()
        for slot in self._slots:
            await slot.stop()
        await self._suspects.see_out()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError, Unavailable):  # the next server does it
            await asyncio.wait_for(self._dead.take_back_all(), LAST_WRITE)

    def _add_slot(self, first: WorkerProcess | None = None) -> None:
        self._slots_made += 1
        slot = WorkerSlot(self._slots_made, self._settings, self._processes, self._ended, self._loops, first=first)
        self._slots.append(slot)
        slot.start()

    def _ended(self, worker: WorkerProcess, code: int | None) -> None:
        """A process of ours has surely ended."""
        if not worker.solo:
            self._first_death.set()
            if code and self._workers.first_ready.is_set() and not worker.retired and not self._stopping:
                logger.warning("a worker process ended with code %s; starting another", code)
        self._dead.add(worker.name, crashed=not worker.retired, own=True)

    async def _look(self) -> float:
        if self._workers.stuck(STUCK_AFTER) and self._spare < self._settings.worker_processes and not self._stopping:
            logger.warning("code that blocks its event loop holds up all workers; starting another one")
            self._spare += 1
            self._add_slot()
        return WATCH_INTERVAL

    async def replace_workers(self, settings: Settings) -> None:
        """Workers for `settings` in the place of those that are there, whose runs go on in the new ones.

        Nothing happens to the old ones before a new one has loaded the graphs. Raises ConfigError when it cannot.
        """
        self._workers.broken = None
        served = settings.project.graphs.keys() - self._workers.not_loaded.keys()
        before = self._workers.not_loaded
        fresh = await self._processes.start(settings)
        try:
            if not await self._gets_ready(fresh):
                code = fresh.process.exitcode
                raise ConfigError(self._workers.broken or f"a worker ends with code {code} at its start")
            lost = [detail for graph_id, detail in self._workers.not_loaded.items() if graph_id in served]
            if lost:
                self._workers.not_loaded = before
                raise ConfigError(lost[0])
        except BaseException:
            fresh.kill()
            self._spawn(self._bury(fresh))
            raise
        self._settings = self._suspects.settings = settings
        self._spare = 0
        for slot in self._slots:
            slot.close()
        self._slots = [slot for slot in self._slots if slot.running]
        old = [worker for worker in self._processes.all() if worker is not fresh]
        self._add_slot(first=fresh)
        for _ in range(settings.worker_processes - 1):
            self._add_slot()
        self._spawn(self._retire(old))

    async def _gets_ready(self, worker: WorkerProcess) -> bool:
        """Waits until a process is a worker that can claim runs; False: it ends instead."""
        event = self._workers.awaited(worker.name)
        ready = asyncio.create_task(event.wait())
        ended = asyncio.create_task(self._processes.sentinel(worker))
        try:
            await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (ready, ended):
                task.cancel()
            # Both have ended before anybody else watches the process: a loop has one reader for a file.
            await asyncio.gather(ready, ended, return_exceptions=True)
            self._workers.forget(worker.name)
        return event.is_set()

    async def _bury(self, worker: WorkerProcess) -> None:
        worker.retired = True
        self._ended(worker, await self._processes.see_out(worker))

    async def _retire(self, old: list[WorkerProcess]) -> None:
        """Ends workers of an earlier generation. Their runs are not to blame for it."""
        for worker in old:
            worker.retired = True
        told = self._workers.give_back([worker.name for worker in old])
        for worker in old:
            if worker.name not in told:  # it is still loading the graphs, and has no runs
                worker.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETIRE_GRACE):
                for worker in old:
                    await worker.ended.wait()
        for worker in old:
            if worker in self._processes.all():
                worker.kill()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
