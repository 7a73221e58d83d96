"""A connection as the parts of storage use it."""

import sqlite3
import time

from runyard.runtime.storage.sqlite.conditions import SqliteConditions


def now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class Connection(sqlite3.Connection):
    """A connection to the file, which tells the time too."""

    slices = 1
    """Of time, for work that can be done in pieces: all other writes of the server wait for one."""
    conditions = SqliteConditions

    @property
    def now(self) -> int:
        return now()
