"""Workers whose processes are stopped: they are ended, for they must not wake up and go on with runs of others."""

from __future__ import annotations

import logging
import time

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.config.settings import Settings
from runyard.runtime.processes.worker_processes import WorkerProcesses
from runyard.runtime.storage.port.workers import WorkerStorage

logger = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between looks. A look costs a small file of the kernel's for each worker."""


class FrozenWorkers:
    """Looks at the state of each worker, own processes and those of a server that was killed.

    A worker that was stopped in the middle of a transaction keeps everybody from writing, so nothing is asked that
    would wait for that. Where no lease has run out nothing happens: somebody may only have stopped it for a moment.
    """

    def __init__(
        self,
        settings: Settings,
        storage: WorkerStorage,
        processes: WorkerProcesses,
        loops: Loops,
        *,
        look: float = INTERVAL,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._processes = processes
        self._interval = look
        self._stopped: dict[str, float] = {}
        self._looked = time.monotonic()
        self._loop = BackgroundLoop("looking for frozen workers", self._look, loops)

    def start(self) -> None:
        """Begins to look."""
        self._loop.start()

    async def stop(self) -> None:
        """Looks no more."""
        await self._loop.stop()

    async def _look(self) -> float:
        now = time.monotonic()
        passed = min(now - self._looked, 2 * self._interval)  # no more than was seen: this process may have slept too
        self._looked = now
        own = {worker.name: worker for worker in self._processes.all()}
        stopped = {name for name, worker in own.items() if worker.stopped}
        stopped |= {name for name, state in (await self._storage.alive()).items() if state == "stopped"}
        self._stopped = {name: self._stopped.get(name, 0.0) + passed for name in stopped}
        for name, seconds in self._stopped.items():
            if seconds > self._settings.lease_seconds:
                logger.warning("worker %s is stopped for longer than its lease; its process is killed", name)
                if name in own:
                    own[name].kill()
                else:
                    await self._storage.evict(name)
        return self._interval
