"""Rows of the LangGraph saver, on Postgres: the steps within one transaction."""

from collections.abc import Iterable, Sequence

import orjson

from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.checkpoints import KeptCheckpoint
from runyard.runtime.storage.postgres.connection import SLICES, Connection
from runyard.runtime.storage.postgres.leftovers import remove_history
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.time_slice import TimeSlice


def undo_checkpoints_of_run(connection: Connection, sql: Queries, thread_id: str, run_id: str) -> None:
    """Deletes what a run has written on its thread, and brings back what it has replaced."""
    for name in (
        "delete_checkpoints_of_run_on_thread",
        "delete_blobs_of_run_on_thread",
        "delete_writes_of_run_on_thread",
        "restore_replaced_writes",
    ):
        connection.execute(sql[name], (thread_id, run_id))
    connection.execute(sql["delete_replaced_writes"], (thread_id,))


def cut_back_run(connection: Connection, sql: Queries, thread_id: str, run_id: str, checkpoint_id: str) -> None:
    """Deletes the checkpoints that a run has saved after the one of that id, and what it has written on that one."""
    for name in ("drop_checkpoints_after", "drop_writes_from"):
        connection.execute(sql[name], (thread_id, run_id, checkpoint_id))


def write_rows(connection: Connection, sql: Queries, rows: Iterable[CheckpointRow | WriteRow]) -> None:
    """Writes checkpoints with their channel values, and pending writes, in order."""
    for row in rows:
        if isinstance(row, CheckpointRow):
            connection.execute(
                sql["put_checkpoint"],
                (row.thread_id, row.ns, row.checkpoint_id, row.parent_id, row.run_id, row.type, row.data, row.metadata),
            )
            for channel, version, kind, data in row.blobs:
                connection.execute(sql["add_blob"], (row.thread_id, row.ns, channel, version, row.run_id, kind, data))
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


def drop_history(connection: Connection, sql: Queries, thread_id: str, kept: Sequence[KeptCheckpoint]) -> bool:
    """Deletes all of a thread but the checkpoints named, for a slice of time; whether nothing else is left."""
    checkpoints = orjson.dumps([(item.ns, item.checkpoint_id) for item in kept]).decode()
    blobs = [(item.ns, channel, version) for item in kept for channel, version in item.versions.items()]
    return remove_history(connection, sql, thread_id, checkpoints, orjson.dumps(blobs).decode(), TimeSlice(SLICES))
