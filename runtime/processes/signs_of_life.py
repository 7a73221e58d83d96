"""Workers that live and give no sign of it: their code keeps the whole process from running."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.config.settings import Settings
from runyard.runtime.processes.dead_workers import DeadWorkers
from runyard.runtime.processes.worker_processes import WorkerProcesses
from runyard.runtime.storage.port.workers import WorkerStorage

logger = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between looks."""
LEASES = 2.0
"""A worker is given up after so many leases without a sign while others' writes got through."""
QUICK = 1.0
"""Seconds in which a write of ours has to get through: else nothing can be said of anybody's silence."""


@dataclass(slots=True)
class _Sign:
    seen: int
    silent: float = 0.0


class SignsOfLife:
    """Follows the heartbeats of workers by whether they change, so that no clock is compared with another's.

    Silence counts only for the time in which this process looked, and its own writes got through: a disk that is full,
    a reader that holds writers up or a transaction that takes long keep workers silent, and they are not dead.
    """

    def __init__(
        self,
        settings: Settings,
        storage: WorkerStorage,
        processes: WorkerProcesses,
        dead: DeadWorkers,
        loops: Loops,
        *,
        local: str | None = None,
        look: float = INTERVAL,
    ) -> None:
        """`local`: the worker within this process."""
        self._settings = settings
        self._storage = storage
        self._processes = processes
        self._dead = dead
        self._local = local
        self._interval = look
        self._signs: dict[str, _Sign] = {}
        self._looked = time.monotonic()
        self._probe: asyncio.Task[None] | None = None
        self._loop = BackgroundLoop("looking for signs of life", self._look, loops)

    def start(self) -> None:
        """Begins to look."""
        self._loop.start()

    async def stop(self) -> None:
        """Looks no more."""
        await self._loop.stop()
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.gather(self._probe, return_exceptions=True)

    async def find_dead(self) -> None:
        """Gives up the workers of an earlier server whose processes have ended."""
        known = await self._storage.known()  # first: whoever is known was alive before
        alive = await self._storage.alive()
        for worker, _ in known:
            if worker not in alive and self._is_foreign(worker):
                self._dead.add(worker)

    async def _look(self) -> float:
        now = time.monotonic()
        passed = now - self._looked
        self._looked = now
        await self.find_dead()
        signs: dict[str, _Sign] = {}
        for known in await self._storage.known():
            sign = self._signs.get(known.worker)
            if sign is None or sign.seen != known.seen or known.worker == self._local:
                sign = _Sign(known.seen)
            signs[known.worker] = sign
        self._signs = signs
        if passed > self._interval + QUICK:  # this process was held up, perhaps all were
            return self._interval
        lease = self._settings.lease_seconds
        for sign in signs.values():
            sign.silent += passed
        if any(sign.silent > lease / 2 for sign in signs.values()) and not await self._gets_through():
            for sign in signs.values():
                sign.silent = min(sign.silent, lease / 2)
            return self._interval
        for name, sign in signs.items():
            if sign.silent > lease * LEASES:
                await self._give_up(name)
        return self._interval

    async def _gets_through(self) -> bool:
        """Whether a write of this process is made in time. One that is not is waited for, before there is another."""
        if self._probe is None:
            self._probe = asyncio.create_task(self._storage.probe())
        await asyncio.wait({self._probe}, timeout=QUICK)
        if not self._probe.done():
            return False
        probe, self._probe = self._probe, None
        return not probe.cancelled() and probe.exception() is None

    async def _give_up(self, name: str) -> None:
        logger.warning("worker %s gives no sign of life; its process is killed", name)
        for worker in self._processes.all():
            if worker.name == name:
                worker.kill()
                return
        if not await self._storage.evict(name):
            self._dead.add(name)

    def _is_foreign(self, name: str) -> bool:
        return name != self._local and name not in self._processes
