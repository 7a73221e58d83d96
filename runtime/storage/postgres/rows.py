"""Rows by column name."""

from typing import Any

from runyard.runtime.storage.postgres.connection import Connection, Parameters, Row


def fetch_dict(connection: Connection, sql: str, parameters: Parameters) -> dict[str, Any] | None:
    """The first row of a query by column name."""
    return next(iter(fetch_dicts(connection, sql, parameters)), None)


def fetch_dicts(connection: Connection, sql: str, parameters: Parameters) -> list[dict[str, Any]]:
    """All rows of a query by column name."""
    cursor = connection.execute(sql, parameters)
    assert cursor.description is not None
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def one(connection: Connection, sql: str, parameters: Parameters = ()) -> Row:
    """The only row of a query that has one, whatever there is."""
    row = connection.execute(sql, parameters).fetchone()
    assert row is not None
    return row
