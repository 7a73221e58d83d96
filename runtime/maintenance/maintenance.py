"""Performs all maintenance duties, each in a loop of its own."""

import asyncio
import logging
from collections.abc import Sequence

from runyard.runtime.errors import RunyardError
from runyard.runtime.maintenance.duty import RECHECK_INTERVAL, Duty

logger = logging.getLogger(__name__)


class Maintenance:
    """Runs in the API process."""

    def __init__(self, duties: Sequence[Duty]) -> None:
        self._duties = duties
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins at once."""
        self._tasks = [
            asyncio.create_task(self._repeat(duty), name=f"maintenance: {type(duty).__name__}") for duty in self._duties
        ]

    async def stop(self) -> None:
        """Ends all loops; a step that is under way is cut, its transaction is whole or not at all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, duty: Duty) -> None:
        while True:
            try:
                pause = await duty.perform()
            except RunyardError as error:
                logger.error("maintenance: %s: %s", type(duty).__name__, error.detail)
                pause = RECHECK_INTERVAL
            except Exception:  # a duty that fails once is not given up for good
                logger.exception("maintenance: %s failed", type(duty).__name__)
                pause = RECHECK_INTERVAL
            await asyncio.sleep(pause)
