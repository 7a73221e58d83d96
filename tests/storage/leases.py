"""Workers whose leases run out, in the sight of other processes."""

from __future__ import annotations

import asyncio
import time

from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.postgres.storage import PostgresStorage

LEASE = 0.5
"""Seconds for those who are to be taken for dead."""
LONG = 60.0
"""Seconds, for those who must not be."""


async def until_dead(watcher: Storage, worker: str) -> None:
    """Looks on, as server processes do, until the worker counts as dead."""
    end = time.monotonic() + LONG
    while worker in await watcher.workers.alive():
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


def go_on(storage: PostgresStorage) -> None:
    """From its next sign of life on it is not silent again, however long the rest of the test takes."""
    storage.workers.leases.seconds = LONG
