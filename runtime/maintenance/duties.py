"""What has to be done from time to time: delayed runs become due, kept outcomes and expired threads go."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import RunyardError
from runyard.runtime.services.threads import Threads
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.broker import Hub

logger = logging.getLogger(__name__)

LONGEST = 1.0
"""Seconds between looks at delayed runs; a nearer date is waited for exactly."""
AT_ONCE = 500
"""Rows that one transaction of the upkeep touches: interactive writes must get in between."""
EXPIRING_AT_ONCE = 50
"""As `AT_ONCE`; a thread may have a long history."""
OUTCOMES_EVERY = 10.0
THREADS_EVERY = 2.0


class Upkeep:
    """Runs in one process of the server; each step is guarded, so more than one does no harm."""

    def __init__(self, settings: Settings, storage: Storage, hub: Hub, threads: Threads) -> None:
        self._settings = settings
        self._storage = storage
        self._hub = hub
        self._threads = threads
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._repeat(step), name=step.__name__)
            for step in (self._make_due, self._forget_outcomes, self._expire_threads)
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, step: Callable[[], Awaitable[float]]) -> None:
        while True:
            try:
                pause = await step()
            except RunyardError as error:
                logger.error("upkeep: %s", error.detail)
                pause = LONGEST
            await asyncio.sleep(pause)

    async def _make_due(self) -> float:
        ready, next_due = await self._storage.queue.make_due(AT_ONCE)
        self._hub.wake(ready)
        return LONGEST if next_due is None else min(LONGEST, next_due + 0.001)

    async def _forget_outcomes(self) -> float:
        forgotten = await self._storage.runs.forget_outcomes(self._settings.result_ttl, AT_ONCE)
        return OUTCOMES_EVERY if forgotten < AT_ONCE else 0.05

    async def _expire_threads(self) -> float:
        return THREADS_EVERY if await self._threads.expire(EXPIRING_AT_ONCE) < EXPIRING_AT_ONCE else 0.05
