"""Taking back and dropping rows of the LangGraph saver, on every backend: the steps within one transaction."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from runyard.runtime.storage.port.checkpoints import KeptCheckpoint
from runyard.runtime.storage.shared.removal import remove_history
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Statements
from runyard.runtime.storage.time_slice import TimeSlice


def undo_checkpoints_of_run(connection: Statements, sql: Queries, thread_id: str, run_id: str) -> None:
    """Deletes what a run has written on its thread, and brings back what it has replaced."""
    for name in (
        "delete_checkpoints_of_run_on_thread",
        "delete_blobs_of_run_on_thread",
        "delete_writes_of_run_on_thread",
        "restore_replaced_writes",
    ):
        connection.execute(sql[name], (thread_id, run_id))
    connection.execute(sql["delete_replaced_writes"], (thread_id,))


def cut_back_run(connection: Statements, sql: Queries, thread_id: str, run_id: str, checkpoint_id: str) -> None:
    """Deletes the checkpoints that a run has saved after the one of that id, and what it has written on that one."""
    for name in ("drop_checkpoints_after", "drop_writes_from"):
        connection.execute(sql[name], (thread_id, run_id, checkpoint_id))


def drop_history(connection: Statements, sql: Queries, thread_id: str, kept: Sequence[KeptCheckpoint]) -> bool:
    """Deletes all of a thread but the checkpoints named, for a slice of time; whether nothing else is left."""
    checkpoints = orjson.dumps([(item.ns, item.checkpoint_id) for item in kept]).decode()
    blobs = [(item.ns, channel, version) for item in kept for channel, version in item.versions.items()]
    return remove_history(
        connection, sql, thread_id, checkpoints, orjson.dumps(blobs).decode(), TimeSlice(connection.slices)
    )
