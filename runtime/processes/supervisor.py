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

    async def _keep_alive(self, *, solo: bool) -> None:
        pause = BACK_OFF
        loop = asyncio.get_running_loop()
        while not self._stopping:
            started = loop.time()
            code = await self._run_one(solo=solo)
            self._first_death.set()
            if self._stopping or (solo and code == 0):
                return
            if code and self._workers.first_ready.is_set():
                logger.warning("a worker process ended with code %s; starting another", code)
            pause = BACK_OFF if loop.time() - started > 10 else min(30.0, pause * 2)
            await asyncio.sleep(pause if not solo else BACK_OFF)

    async def _run_one(self, *, solo: bool) -> int | None:
        """Runs a worker process until it ends; then takes its runs back."""
        name = f"{'solo' if solo else 'worker'}-{uuid.uuid4().hex[:12]}"
        process = await self._spawner.start(self._settings, name, self._socket, solo=solo)
        self._processes[name] = process
        try:
            await self._ended(process)
            # Should its end be reported wrongly: two processes must never execute one run.
            while not is_dead(self._settings, name):  # noqa: ASYNC110 - a file's lock cannot be awaited
                await asyncio.sleep(0.05)
        finally:
            del self._processes[name]
        await self.reap(name)
        return process.exitcode

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
        reaped = await self._storage.workers.reap(worker, max_attempts=self._settings.max_attempts)
        if reaped.requeued or reaped.solo or reaped.ended:
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
