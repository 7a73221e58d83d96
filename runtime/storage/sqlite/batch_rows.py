"""The rows of batches on SQLite: written with their runs, read with their counts."""

import sqlite3
from typing import Any

from runyard.generated.models import Batch
from runyard.runtime.scope import Scope
from runyard.runtime.storage.batch_rows import batch_columns, batch_from_row, count_columns
from runyard.runtime.storage.port.runs import NewBatch
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.sqlite.database import now


def insert_batch(
    connection: sqlite3.Connection, sql: Queries, scope: Scope, batch: NewBatch, size: int, ready: int, clock: int
) -> None:
    """Writes a batch of so many items, of which so many are ready; `clock` is the time by the clock of the queue."""
    time = now()
    connection.execute(sql["insert_batch"], batch_columns(scope, batch, size, clock, time))
    connection.execute(sql["insert_batch_counts"], count_columns(batch, size, ready, time))


def read_batch(connection: sqlite3.Connection, sql: Queries, row: dict[str, Any]) -> Batch:
    """A batch as the interface shows it, at this moment; the row is that of the batch and that of its counts."""
    classes = connection.execute(sql["batch_durations"], (row["batch_id"],)).fetchall()
    return batch_from_row(row, classes, now())
