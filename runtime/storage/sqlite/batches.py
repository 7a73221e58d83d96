"""Batches, on SQLite. Triggers keep their counts, in the transactions that change their runs."""

import sqlite3

import orjson

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import NewBatch
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.sqlite.database import now


def insert_batch(
    connection: sqlite3.Connection, sql: Queries, scope: Scope, batch: NewBatch, size: int, ready: int, clock: int
) -> None:
    """Writes a batch of so many items, of which so many are ready; `clock` is the time by the clock of the queue."""
    time = now()
    connection.execute(
        sql["insert_batch"],
        {
            "batch_id": batch.batch_id,
            "creator": scope.identity,
            "name": batch.name,
            "metadata": orjson.dumps(batch.metadata).decode(),
            "webhook": batch.webhook,
            "size": size,
            "max_concurrency": batch.max_concurrency,
            "start_within": batch.start_within,
            "finish_within": batch.finish_within,
            "start_due": _due(batch.start_within, clock),
            "finish_due": _due(batch.finish_within, clock),
            "retry": None if batch.retry is None else orjson.dumps(batch.retry).decode(),
            "result_ttl": batch.result_ttl,
            "now": time,
        },
    )
    room = None if batch.max_concurrency is None else batch.max_concurrency - ready
    connection.execute(
        sql["insert_batch_counts"], {"batch_id": batch.batch_id, "size": size, "room": room, "now": time}
    )


def _due(seconds: float | None, clock: int) -> int | None:
    return None if seconds is None else clock + int(seconds * 1e6)
