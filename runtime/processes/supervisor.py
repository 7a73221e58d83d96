"""Keeps the worker processes alive, and takes the runs of a dead one back at once."""

import asyncio
import contextlib
import logging
import os
import signal
import time
import uuid
from collections.abc import Coroutine
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from runyard.runtime.bus.workers import Workers
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.processes.spawning import WorkerSpawner
from runyard.runtime.storage.data_dir import is_dead
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.broker import Broker

logger = logging.getLogger(__name__)

WATCH_INTERVAL = 1.0
"""Seconds between looks at workers that nobody told us about: those of a server that was killed."""
STUCK_AFTER = 2.0
"""Seconds without an answer of any worker after which one more is started, up to twice as many in all."""
RETIRE_GRACE = 6.0
"""Seconds in which a worker that was replaced has to end; a sync node may hold it, or code that blocks its loop."""
BACK_OFF = 0.5
"""Seconds before a worker that died is replaced; doubled while workers keep dying young, up to 30 s."""


class Supervisor:
    """Starts `settings.workers` processes and replaces those that die.

    Runs that were there at several crashes are executed by a process of their own, one at a time: only so can
    a run be blamed for the death of a worker.
    """

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        broker: Broker,
        workers: Workers,
        spawner: WorkerSpawner,
        socket: Path,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._broker = broker
        self._workers = workers
        self._socket = socket
        self._spawner = spawner
        self._processes: dict[str, ForkServerProcess] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._solo: asyncio.Task[None] | None = None
        self._first_death = asyncio.Event()
        self._spare = 0
        self._generation = 0
        self._retired: set[str] = set()
        self._trusting_until = 0.0
        self._stopping = False

    async def start(self) -> None:
        """Takes over what an earlier server left, then starts the workers; returns when they are ready."""
        await self._reap_dead()
        await self._start_solo_if_needed()
        self._spawn(self._watch())
        tasks = [self._spawn(self._keep_alive(solo=False)) for _ in range(self._settings.workers)]
        if tasks:
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
        """Asks all workers to leave, and returns when they have."""
        self._stopping = True
        self._retired |= self._processes.keys()  # runs are not to blame for one that has to be killed
        self._workers.drain()
        grace = self._settings.shutdown_grace + 10
        processes = list(self._processes.values())
        for process in processes:
            await asyncio.to_thread(process.join, grace)
            if process.is_alive():
                logger.warning("worker process %s does not end; it is killed", process.pid)
                process.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _keep_alive(self, *, solo: bool, first: tuple[str, ForkServerProcess] | None = None) -> None:
        """Sees to it that there is a worker, until another generation takes over; `first`: one that runs already."""
        pause = BACK_OFF
        loop = asyncio.get_running_loop()
        generation = self._generation
        while not self._stopping:
            started = loop.time()
            name, process = first or await self._start_one(self._settings, solo=solo)
            first = None
            code = await self._see_out(name, process)
            self._first_death.set()
            if self._stopping or (solo and code == 0) or (not solo and generation != self._generation):
                return
            if code and self._workers.first_ready.is_set():
                logger.warning("a worker process ended with code %s; starting another", code)
            pause = BACK_OFF if loop.time() - started > 10 else min(30.0, pause * 2)
            await asyncio.sleep(pause if not solo else BACK_OFF)
            if not solo and generation != self._generation:
                return

    async def _start_one(self, settings: Settings, *, solo: bool) -> tuple[str, ForkServerProcess]:
        name = f"{'solo' if solo else 'worker'}-{uuid.uuid4().hex[:12]}"
        process = await self._spawner.start(settings, name, self._socket, solo=solo)
        self._processes[name] = process
        return name, process

    async def _see_out(self, name: str, process: ForkServerProcess) -> int | None:
        """Waits until a worker process has ended; then takes its runs back. Its exit code."""
        try:
            await self._ended(process)
            # Should its end be reported wrongly: two processes must never execute one run.
            while not is_dead(self._settings, name):  # noqa: ASYNC110 - a file's lock cannot be awaited
                await asyncio.sleep(0.05)
        finally:
            del self._processes[name]
        await self.reap(name)
        self._retired.discard(name)
        return process.exitcode

    async def replace_workers(self, settings: Settings) -> None:
        """Workers for `settings` in the place of those that are there, whose runs go on in the new ones.

        Nothing happens to the old ones before a new one has loaded the graphs. Raises ConfigError when it cannot.
        """
        self._workers.broken = None
        served = settings.project.graphs.keys() - self._workers.not_loaded.keys()
        before = self._workers.not_loaded
        name, process = await self._start_one(settings, solo=False)
        try:
            if not await self._gets_ready(name, process):
                raise ConfigError(self._workers.broken or f"a worker ends with code {process.exitcode} at its start")
            lost = [detail for graph_id, detail in self._workers.not_loaded.items() if graph_id in served]
            if lost:
                self._workers.not_loaded = before
                raise ConfigError(lost[0])
        except BaseException:
            process.kill()
            self._spawn(self._bury(name, process))
            raise
        self._generation += 1
        self._settings = settings
        self._spare = 0
        old = {known: process for known, process in self._processes.items() if known != name}
        self._spawn(self._keep_alive(solo=False, first=(name, process)))
        for _ in range(settings.workers - 1):
            self._spawn(self._keep_alive(solo=False))
        self._spawn(self._retire(old))

    async def _gets_ready(self, name: str, process: ForkServerProcess) -> bool:
        """Waits until a process is a worker that can claim runs; False: it ends instead."""
        event = self._workers.awaited(name)
        ready, ended = asyncio.create_task(event.wait()), asyncio.create_task(self._ended(process))
        try:
            await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (ready, ended):
                task.cancel()
            # Both have ended before anybody else watches the process: a loop has one reader for a file.
            await asyncio.gather(ready, ended, return_exceptions=True)
            self._workers.forget(name)
        return event.is_set()

    async def _bury(self, name: str, process: ForkServerProcess) -> None:
        await self._see_out(name, process)

    async def _retire(self, old: dict[str, ForkServerProcess]) -> None:
        """Ends workers of an earlier generation. Their runs are not to blame for it."""
        self._retired |= old.keys()
        told = self._workers.give_back(old)
        for name, process in old.items():
            if name not in told:  # it is still loading the graphs, and has no runs
                process.kill()
        await asyncio.sleep(RETIRE_GRACE)
        for name, process in old.items():
            if name in self._processes:
                process.kill()

    @staticmethod
    async def _ended(process: ForkServerProcess) -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(process.sentinel)
        process.join()

    async def reap(self, worker: str) -> None:
        """Takes the runs of a dead worker back."""
        crashed = worker not in self._retired
        reaped = await self._storage.workers.reap(worker, max_attempts=self._settings.max_attempts, crashed=crashed)
        if crashed and (reaped.requeued or reaped.solo or reaped.ended):
            logger.warning(
                "worker %s died: %s runs go back to the queue, %s of them to run alone, %s are ended",
                worker,
                reaped.requeued + reaped.solo,
                reaped.solo,
                len(reaped.ended),
            )
        self._workers.wake(reaped.requeued + reaped.promoted)
        self._broker.refresh_results(reaped.ended)
        if reaped.solo:
            await self._start_solo_if_needed()

    async def _start_solo_if_needed(self) -> None:
        if self._stopping or (self._solo is not None and not self._solo.done()):
            return
        if await self._storage.queue.solo_waiting():
            self._solo = self._spawn(self._keep_alive(solo=True))

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = time.time()
            await asyncio.sleep(WATCH_INTERVAL)
            if time.time() - before > WATCH_INTERVAL + self._settings.lease_seconds / 2:
                # This process was held up, or the clock was set: workers get the time to say that they live.
                self._trusting_until = loop.time() + self._settings.lease_seconds
            await self._reap_dead()
            await self._start_solo_if_needed()
            if self._workers.stuck(STUCK_AFTER) and self._spare < self._settings.workers and not self._stopping:
                logger.warning("code that blocks its event loop holds up all workers; starting another one")
                self._spare += 1
                self._spawn(self._keep_alive(solo=False))

    async def _reap_dead(self) -> None:
        """Workers of a killed server, and own ones that are frozen for longer than their lease."""
        for worker, _ in await self._storage.workers.stale(0.0):
            if worker not in self._processes and is_dead(self._settings, worker):
                await self.reap(worker)
        if asyncio.get_running_loop().time() < self._trusting_until:
            return
        for worker, pid in await self._storage.workers.stale(self._settings.lease_seconds):
            if pid == os.getpid():
                continue
            # It may only be frozen: it must not wake up and continue runs that others have by then. The lock
            # that it holds says that the process id is still its own.
            logger.warning("worker %s gives no sign of life; its process is killed", worker)
            if worker in self._processes:
                self._processes[worker].kill()
                continue
            if pid and not is_dead(self._settings, worker):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await self.reap(worker)
