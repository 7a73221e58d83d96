"""The lock around write transactions: an advisory one on a file beside the database, for all processes that write.

SQLite's own busy handler polls and is unfair, so it is not left to decide who writes next.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runyard.runtime.storage.port.storage import Meter


class FileLock:
    """One process's handle on the lock; one of its pool threads at a time holds it, whichever calls first.

    Whoever holds it keeps every other writer waiting: nothing may be waited for inside.
    """

    def __init__(self, path: Path, meter: Meter | None = None) -> None:
        self._path = path
        self._meter = meter
        self._file = -1

    def open(self) -> None:
        """Makes the file. Raises OSError."""
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        """Nobody may hold the lock any more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    @contextmanager
    def held(self) -> Iterator[None]:
        """Waits for the lock and holds it in the block."""
        asked = time.perf_counter()
        fcntl.flock(self._file, fcntl.LOCK_EX)
        taken = time.perf_counter()
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            if self._meter is not None:
                self._meter.locked(taken - asked, time.perf_counter() - taken)
