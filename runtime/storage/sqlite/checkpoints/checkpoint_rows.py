"""How rows of the LangGraph saver are written, on SQLite."""

from collections.abc import Iterable

from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.database.connection import Connection


def write_rows(connection: Connection, sql: Queries, rows: Iterable[CheckpointRow | WriteRow]) -> None:
    """Writes checkpoints with their channel values, and pending writes, in order."""
    for row in rows:
        if isinstance(row, CheckpointRow):
            connection.execute(
                sql["put_checkpoint"],
                (
                    row.thread_id,
                    row.ns,
                    row.checkpoint_id,
                    row.parent_id,
                    row.run_id,
                    row.type,
                    row.data,
                    row.metadata,
                ),
            )
            for channel, version, kind, data in row.blobs:
                connection.execute(
                    sql["add_blob"],
                    (row.thread_id, row.ns, channel, version, row.run_id, kind, data),
                )
        else:
            if row.idx < 0 and row.run_id is not None:
                _keep_replaced(connection, sql, row)
            connection.execute(
                sql["add_write" if row.idx >= 0 else "replace_write"],
                (
                    row.thread_id,
                    row.ns,
                    row.checkpoint_id,
                    row.task_id,
                    row.idx,
                    row.run_id,
                    row.channel,
                    row.type,
                    row.data,
                    row.task_path,
                ),
            )


def _keep_replaced(connection: Connection, sql: Queries, row: WriteRow) -> None:
    connection.execute(sql["forget_replaced_writes"], (row.thread_id, row.run_id))
    connection.execute(
        sql["keep_replaced_write"],
        {
            "thread_id": row.thread_id,
            "run_id": row.run_id,
            "ns": row.ns,
            "checkpoint_id": row.checkpoint_id,
            "task_id": row.task_id,
            "idx": row.idx,
        },
    )
