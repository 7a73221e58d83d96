"""The time that queues go by, on every backend: see its clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from runyard.runtime.storage.sql.fetching import one
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Statements

C = TypeVar("C", bound=Statements)

Clock = Callable[[C], int]
"""Microseconds, in a transaction that writes."""


def time_of(connection: Statements) -> int:
    """The clock, where it is that of the connection."""
    return connection.now


def seconds_until(connection: C, sql: Queries, query: str, clock: Clock[C]) -> float | None:
    """Seconds until the moment that a query finds; None when it finds none. Where the clock is the database's, the row
    has its time, too."""
    due, *time = one(connection, sql[query])
    return None if due is None else max(0.0, (due - (time[0] if time else clock(connection))) / 1e6)
