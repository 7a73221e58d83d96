"""Threads, or their histories, are removed when their lifetime is over."""

from runyard.runtime.config.project import ThreadTtl
from runyard.runtime.maintenance.duty import MORE_TO_DO
from runyard.runtime.services.threads import Threads

THREADS_PER_TRANSACTION = 50
"""Fewer than rows elsewhere: a thread may have a long history."""
INTERVAL = 2.0
"""Seconds between two looks, where the project says nothing."""


class ThreadExpiry:
    """Expires threads by the service that also deletes them, so that those who follow them learn it.

    `ttl` may say how often to look, and how many threads go at one look.
    """

    def __init__(self, threads: Threads, ttl: ThreadTtl) -> None:
        self._threads = threads
        self._interval = ttl.sweep_seconds or INTERVAL
        self._limit = ttl.sweep_limit
        self._expired = 0

    async def perform(self) -> float:
        """At once again when there may be more, and more may go."""
        step = THREADS_PER_TRANSACTION
        if self._limit is not None:
            step = min(step, self._limit - self._expired)
        expired = await self._threads.expire(step)
        self._expired += expired
        if expired < step or (self._limit is not None and self._expired >= self._limit):
            self._expired = 0
            return self._interval
        return MORE_TO_DO
