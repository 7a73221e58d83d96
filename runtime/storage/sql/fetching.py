"""Rows by column name, on every backend."""

from __future__ import annotations

from typing import Any

from runyard.runtime.storage.sql.statements import Statements


def fetch_dict(connection: Statements, sql: str, parameters: Any) -> dict[str, Any] | None:
    """The first row of a query by column name."""
    return next(iter(fetch_dicts(connection, sql, parameters)), None)


def fetch_dicts(connection: Statements, sql: str, parameters: Any) -> list[dict[str, Any]]:
    """All rows of a query by column name."""
    cursor = connection.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def one(connection: Statements, sql: str, parameters: Any = ()) -> Any:
    """The only row of a query that has one, whatever there is."""
    row = connection.execute(sql, parameters).fetchone()
    assert row is not None
    return row
