"""Rows by column name."""

import sqlite3
from typing import Any


def fetch_dict(connection: sqlite3.Connection, sql: str, parameters: Any) -> dict[str, Any] | None:
    """The first row of a query by column name."""
    return next(iter(fetch_dicts(connection, sql, parameters)), None)


def fetch_dicts(connection: sqlite3.Connection, sql: str, parameters: Any) -> list[dict[str, Any]]:
    """All rows of a query by column name."""
    cursor = connection.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
