"""What SQLite's errors mean to those who asked for a write."""

import sqlite3

from runyard.runtime.errors import Unavailable


def is_outside(error: Exception) -> bool:
    """Whether it comes from outside (a full disk, a broken one, memory), not from a statement that is wrong."""
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_ERROR


def unavailable(error: Exception) -> Unavailable:
    """As services raise it: 503."""
    return Unavailable(f"the database refused a write ({error}); nothing of it was kept")
