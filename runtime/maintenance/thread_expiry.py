"""Threads, or their histories, are removed when their lifetime is over."""

from runyard.runtime.maintenance.duty import MORE_TO_DO
from runyard.runtime.services.threads import Threads

THREADS_PER_TRANSACTION = 50
"""Fewer than rows elsewhere: a thread may have a long history."""
INTERVAL = 2.0


class ThreadExpiry:
    """Expires threads by the service that also deletes them, so that those who follow them learn it."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    async def perform(self) -> float:
        """At once again when there may be more."""
        expired = await self._threads.expire(THREADS_PER_TRANSACTION)
        return INTERVAL if expired < THREADS_PER_TRANSACTION else MORE_TO_DO
