"""The clock of the queue: the time of day as it was first read after the machine's start, going on evenly.

Somebody may set the time of day, by an hour or a year; a delay is as long as before. All processes of the machine read
this clock alike, and sleep of the machine counts.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.database.database import Database


class QueueClock:
    """Use after `open`."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries
        self._ahead: int | None = None

    def open(self) -> None:
        """Finds out what the database says of this boot; the first process notes it."""
        boot = boot_name()
        if boot is None:
            return

        def read(connection: Connection) -> tuple[int] | None:
            row: tuple[int] | None = connection.execute(self._sql["clock_ahead"], (boot,)).fetchone()
            return row

        def note(connection: Connection) -> tuple[int] | None:
            connection.execute(self._sql["forget_clocks"], (boot,))
            connection.execute(self._sql["note_clock"], (boot, now() - since_boot()))
            return read(connection)

        found = self._database.read_here(read) or self._database.write_blocking(note)
        if found is not None:
            (self._ahead,) = found

    def of(self, connection: Connection) -> int:
        """As `now`, for steps that go by the clock of their connection elsewhere."""
        return self.now()

    def now(self) -> int:
        """Microseconds. To be compared with other dates by this clock only."""
        return now() if self._ahead is None else since_boot() + self._ahead


def since_boot() -> int:
    """Microseconds; see `boot_name`."""
    assert sys.platform == "linux"
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def boot_name() -> str | None:
    """Names the machine's start; None where that cannot be told: then the queue goes by the time of day."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return None
