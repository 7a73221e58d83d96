"""The logs of threads, on every backend: what other steps of a transaction ask of them, and their rows."""

from typing import Any

from runyard.runtime.storage.port.events import EventChunk, RunEnd
from runyard.runtime.storage.sql.fetching import one
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Statements


def last_event(connection: Statements, sql: Queries, run_id: str) -> int:
    """The number of a run's last stored event; 0 if there is none."""
    row = connection.execute(sql["last_event"], (run_id,)).fetchone()
    return 0 if row is None else int(row[0])


def last_of_thread(connection: Statements, sql: Queries, thread_id: str) -> int:
    """The last number that was given on a thread; 0 if there is none."""
    return int(one(connection, sql["last_of_thread"], {"thread_id": thread_id})[0])


def entry_from_row(row: tuple[Any, ...]) -> EventChunk | RunEnd:
    """What a row of `read_thread_events` holds."""
    first, seq, data, run_id, status, unstored, ended_at = row
    if data is None:
        return RunEnd(seq, run_id, status, bool(unstored), ended_at // 1000)
    return EventChunk(first, seq, data)
