"""Workers whose processes are stopped: they are ended, for they must not wake up and go on with runs of others."""

from __future__ import annotations

import logging
import time

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.config.settings import Settings
from runyard.runtime.processes.dead_workers import DeadWorkers
from runyard.runtime.processes.worker_processes import WorkerProcesses
from runyard.runtime.storage.data_dir import is_dead, worker_locks
from runyard.runtime.storage.process_identity import ProcessIdentity

logger = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between looks. A look costs a small file of the kernel's for each worker."""


class FrozenWorkers:
    """Looks at the state of each process of a worker, own ones and those of a server that was killed.

    It asks the kernel, never the database: a worker that was stopped in the middle of a transaction keeps everybody
    from writing. Where no lease has run out nothing happens: somebody may only have stopped it for a moment.
    """

    def __init__(
        self, settings: Settings, processes: WorkerProcesses, dead: DeadWorkers, loops: Loops, *, look: float = INTERVAL
    ) -> None:
        self._settings = settings
        self._processes = processes
        self._dead = dead
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
        there: dict[str, ProcessIdentity] = {
            worker.name: worker.identity for worker in self._processes.all() if worker.identity is not None
        }
        for name, identity in worker_locks(self._settings):
            if name in there or (identity is not None and identity.own):
                continue
            if name not in self._processes and is_dead(self._settings, name):
                self._dead.add(name)
            elif identity is not None:
                there[name] = identity
        stopped = {name: identity for name, identity in there.items() if identity.state() == "stopped"}
        self._stopped = {name: self._stopped.get(name, 0.0) + passed for name in stopped}
        for name, seconds in self._stopped.items():
            if seconds > self._settings.lease_seconds:
                logger.warning("worker %s is stopped for longer than its lease; its process is killed", name)
                stopped[name].kill()
        return self._interval
