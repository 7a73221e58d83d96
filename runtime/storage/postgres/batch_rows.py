"""The rows of batches on Postgres: written with their runs, read with their counts."""

from typing import Any

from runyard.generated.models import Batch
from runyard.runtime.scope import Scope
from runyard.runtime.storage.batch_rows import batch_columns, batch_from_row, count_columns
from runyard.runtime.storage.port.runs import NewBatch
from runyard.runtime.storage.postgres.connection import Connection
from runyard.runtime.storage.queries import Queries


def insert_batch(connection: Connection, sql: Queries, scope: Scope, batch: NewBatch, size: int, ready: int) -> None:
    """Writes a batch of so many items, of which so many are ready."""
    time = connection.now
    connection.execute(sql["insert_batch"], batch_columns(scope, batch, size, time, time))
    connection.execute(sql["insert_batch_counts"], count_columns(batch, size, ready, time))


def read_batch(connection: Connection, sql: Queries, row: dict[str, Any]) -> Batch:
    """A batch as the interface shows it; the row is that of the batch and that of its counts, and the time, `now`."""
    classes = connection.execute(sql["batch_durations"], (row["batch_id"],)).fetchall()
    return batch_from_row(row, classes, row["now"])
