"""The lock around write transactions: an advisory one on a file beside the database, for all processes that write.

SQLite's own busy handler polls and is unfair, so it is not left to decide who writes next.
"""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from runyard.runtime.background.forks import forget_descriptor, keep_from_children
from runyard.runtime.storage.port.storage import Meter


class FileLock:
    """One process's handle on the lock, held in a `with` block. Each thread that takes it has a handle of its own.

    Whoever holds it keeps every other writer waiting: nothing may be waited for inside.
    """

    def __init__(self, path: Path, meter: Meter | None = None) -> None:
        self._path = path
        self._meter = meter
        self._file = -1
        self._waited = self._taken = 0.0

    def open(self) -> None:
        """Makes the file. Raises OSError."""
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        keep_from_children(self._file)

    def close(self) -> None:
        """Nobody may hold the lock any more."""
        if self._file >= 0:
            forget_descriptor(self._file)
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> None:
        asked = time.perf_counter()
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._taken = time.perf_counter()
        self._waited = self._taken - asked

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)
        if self._meter is not None:
            self._meter.locked(self._waited, time.perf_counter() - self._taken)
