"""A connection as the parts of storage use it."""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import Any

from runyard.runtime.storage.sqlite.conditions import SqliteConditions


def now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class Connection(sqlite3.Connection):
    """A connection to the file, which tells the time too."""

    slices = 1
    """Of time, for work that can be done in pieces: all other writes of the server wait for one."""
    conditions = SqliteConditions
    insertion_order = "rowid"

    @property
    def now(self) -> int:
        return now()

    def execute_many(self, statement: str, rows: Sequence[Any]) -> None:
        self.executemany(statement, rows)

    def lock(self, *names: str) -> None:
        """Nothing: there is one writer at a time."""

    def stream(self, statement: str, parameters: Any = ()) -> Iterable[Any]:
        return self.execute(statement, parameters)

    def insert_whole(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        for row in rows:
            self.execute(f"insert into {table} values (?{', ?' * (len(row) - 1)})", row)
