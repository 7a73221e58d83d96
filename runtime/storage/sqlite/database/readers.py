"""Connections for reading: one for each thread that reads.

Reads that take microseconds are made where they are asked for. The others go to pools, a pool for each kind, so that
none waits for those of another kind.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.sqlite.database.connection import Connection
from runyard.runtime.storage.sqlite.database.errors import is_outage, read_refused

T = TypeVar("T")
Read = Callable[[Connection], T]
Pool = Literal["probe", "lookup", "search", "copy"]

POOL_THREADS: dict[Pool, int] = {"probe": 1, "lookup": 2, "search": 2, "copy": 1}
LONGEST_SEARCH = 10.0
"""Seconds that a search or a count may take, the wait for its turn included."""
STEPS_BETWEEN_LOOKS = 20_000
"""Steps of SQLite's machine between two looks at the clock: some milliseconds."""


class Readers:
    """All reads of a process. Safe to use from several threads."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._local = threading.local()
        self._pools = {name: ThreadPoolExecutor(size, name) for name, size in POOL_THREADS.items()}

    def stop(self) -> None:
        """Returns when no read is under way."""
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)

    def read(self, read: Read[T]) -> T:
        """Runs `read` in the caller's thread. Raises Unavailable when the database cannot be read."""
        connection = getattr(self._local, "connection", None)
        try:
            if connection is None:
                connection = self._local.connection = self._connect()
            return read(connection)
        except sqlite3.OperationalError as error:
            if is_outage(error):
                raise read_refused(error) from error
            raise

    async def read_in_pool(self, read: Read[T], pool: Pool) -> T:
        """Runs `read` in a pool thread. Raises Unavailable as `read` does, and for a search that takes too long."""
        if pool == "search":
            end = time.monotonic() + LONGEST_SEARCH
            return await self._run(pool, lambda: self._read_until(read, end))
        return await self._run(pool, lambda: self.read(read))

    async def _run(self, pool: Pool, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pools[pool], work)

    def _read_until(self, read: Read[T], end: float) -> T:
        def limited(connection: Connection) -> T:
            connection.set_progress_handler(lambda: time.monotonic() > end, STEPS_BETWEEN_LOOKS)
            try:
                return read(connection)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                    raise _too_long() from error
                raise
            finally:
                connection.set_progress_handler(None, 0)

        if time.monotonic() > end:
            raise _too_long()
        return self.read(limited)


def _too_long() -> Unavailable:
    return Unavailable(
        f"the search was given up after {LONGEST_SEARCH:g} seconds; ask for something narrower, such as a status, ids "
        "or a text in the metadata, or try again when fewer searches are under way"
    )
