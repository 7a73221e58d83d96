"""Runs that were there when a worker died: they are tried again apart from all others.

One of them may kill every process that executes it. The suspects of one death are divided into groups, each for a
process of its own: those of a group whose process lives end as they would, and only the group that has the deadly run
in it dies once more. The last attempt is made alone, so that a run pays for nobody's crash but its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.workers import Workers
from runyard.runtime.config.settings import Settings
from runyard.runtime.processes.worker_processes import WorkerProcess, WorkerProcesses
from runyard.runtime.storage.port.queue import QueueStorage

logger = logging.getLogger(__name__)

GROUPS = min(8, max(4, 2 * (os.cpu_count() or 1)))
"""Groups into which the suspects of one death are divided, and at most so many processes for them."""
LOOK_INTERVAL = 1.0
"""Seconds between looks; the death of a worker makes it look at once."""


class Suspects:
    """Starts processes for groups of suspects; one ends when there is no group left for it."""

    def __init__(
        self,
        settings: Settings,
        queue: QueueStorage,
        workers: Workers,
        processes: WorkerProcesses,
        ended: Callable[[WorkerProcess, int | None], None],
        loops: Loops,
    ) -> None:
        self.settings = settings
        self._queue = queue
        self._workers = workers
        self._processes = processes
        self._ended = ended
        self._tasks: set[asyncio.Task[None]] = set()
        self._failing = 0
        self._loop = BackgroundLoop("processes for suspects", self._start_needed, loops)

    def start(self) -> None:
        """Begins to look for groups."""
        self._loop.start()

    def wake(self) -> None:
        """There may be a group now."""
        self._loop.wake()

    async def stop(self) -> None:
        """Starts no more; those that run are told to leave by others."""
        await self._loop.stop()

    async def see_out(self) -> None:
        """Ends what waits for the ends of processes."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _start_needed(self) -> float:
        groups = await self._queue.solo_waiting()
        if not groups:
            self._failing = 0
            return LOOK_INTERVAL
        solo = [worker for worker in self._processes.all() if worker.solo]
        busy = self._workers.busy()
        idle = sum(worker.name not in busy for worker in solo)
        for _ in range(min(GROUPS - len(solo), groups - idle)):
            worker = await self._processes.start(self.settings, solo=True)
            task = asyncio.create_task(self._see_out(worker))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return min(10.0, LOOK_INTERVAL * 2.0 ** min(self._failing, 5))

    async def _see_out(self, worker: WorkerProcess) -> None:
        code = await self._processes.see_out(worker)
        # One that cannot even load the graphs, and takes no group, is not started over and over.
        self._failing = self._failing + 1 if code == 1 else 0
        self._ended(worker, code)
        if not self._failing:
            self._loop.wake()
