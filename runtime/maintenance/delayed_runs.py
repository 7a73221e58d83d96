"""Delayed runs become ready when their time has come."""

from runyard.runtime.bus.workers import Workers
from runyard.runtime.maintenance.duty import RECHECK_INTERVAL, ROWS_PER_TRANSACTION
from runyard.runtime.storage.port.queue import QueueStorage


class DelayedRuns:
    """Makes delayed runs due and wakes workers for them."""

    def __init__(self, queue: QueueStorage, workers: Workers) -> None:
        self._queue = queue
        self._workers = workers

    async def perform(self) -> float:
        """A nearer date than the next look is waited for exactly."""
        ready, next_due = await self._queue.make_due(ROWS_PER_TRANSACTION)
        self._workers.wake(ready)
        return RECHECK_INTERVAL if next_due is None else min(RECHECK_INTERVAL, next_due + 0.001)
