"""What SQLite's errors mean to those who asked for something."""

import sqlite3

from runyard.runtime.errors import StorageUnavailable


def is_outage(error: Exception) -> bool:
    """Whether the surroundings are at fault (a full or broken disk, memory), not a statement that is wrong."""
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_ERROR


def is_busy(error: sqlite3.OperationalError) -> bool:
    """Whether somebody else has the database."""
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def write_refused(error: Exception) -> StorageUnavailable:
    """The error as services raise it: 503."""
    return StorageUnavailable(f"the database refused a write ({error}); nothing of it was kept")


def read_refused(error: Exception) -> StorageUnavailable:
    """The error as services raise it: 503."""
    return StorageUnavailable(f"the database could not be read ({error})")
