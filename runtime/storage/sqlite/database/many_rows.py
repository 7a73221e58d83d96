"""Inserting many rows with few statements.

Around each statement a thread gives the interpreter to the others and has to get it back, for which it waits when they
are busy; and all the while nobody else can write.
"""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

ROWS = 100
"""Rows of one statement."""


def insert_rows(connection: sqlite3.Connection, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Runs `insert or fail into ... values (...)`, whose parameters are named, with each of the rows, in order."""
    whole = len(rows) - len(rows) % ROWS
    if whole:
        names, together = _of_many(statement)
        for start in range(0, whole, ROWS):
            connection.execute(together, [row[name] for row in rows[start : start + ROWS] for name in names])
    connection.executemany(statement, rows[whole:])


@lru_cache
def _of_many(statement: str) -> tuple[list[str], str]:
    """The parameters of a row, and the statement for so many rows."""
    head, values, row = statement.partition("values ")
    names = re.findall(r":(\w+)", row)
    return names, head + values + ", ".join([re.sub(r":\w+", "?", row)] * ROWS)
