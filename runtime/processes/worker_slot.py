"""A place for a worker: when one dies, another follows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.config.settings import Settings
from runyard.runtime.processes.worker_processes import WorkerProcess, WorkerProcesses

logger = logging.getLogger(__name__)

BACK_OFF = 0.5
"""Seconds before a worker that died is replaced; doubled while workers keep dying young, up to `LONGEST_BACK_OFF`."""
LONGEST_BACK_OFF = 10.0
YOUNG = 10.0
"""Seconds: a worker that lives longer has not failed at its start."""


class WorkerSlot:
    """Sees to it that there is a worker, until it is closed. `first`: one that runs already."""

    def __init__(
        self,
        number: int,
        settings: Settings,
        processes: WorkerProcesses,
        ended: Callable[[WorkerProcess, int | None], None],
        loops: Loops,
        *,
        first: WorkerProcess | None = None,
    ) -> None:
        self._settings = settings
        self._processes = processes
        self._ended = ended
        self._worker = first
        self._closed = False
        self._pause = BACK_OFF
        self._loop = BackgroundLoop(f"worker {number}", self._keep, loops, may_wait=True)

    def start(self) -> None:
        """Begins at once."""
        self._loop.start()

    @property
    def running(self) -> bool:
        """Whether there may be a worker in it."""
        return self._loop.running

    def close(self) -> None:
        """The worker that is there, if any, is the last."""
        self._closed = True

    async def stop(self) -> None:
        """Waits for nothing any more."""
        await self._loop.stop()

    async def _keep(self) -> float | None:
        if self._closed and self._worker is None:
            return None
        loop = asyncio.get_running_loop()
        if self._worker is None:
            self._worker = await self._processes.start(self._settings)
            if self._closed:
                self._worker.retired = True
                self._worker.kill()
        began = loop.time()
        code = await self._processes.see_out(self._worker)
        worker, self._worker = self._worker, None
        self._ended(worker, code)
        if self._closed:
            return None
        self._pause = BACK_OFF if loop.time() - began > YOUNG else min(LONGEST_BACK_OFF, self._pause * 2)
        return self._pause
