"""Rows of the LangGraph saver, on SQLite.

Checkpoints, blobs and writes are posted to the same queue as the ends of runs, so a success never commits
before the checkpoints that it rests on. That a write was refused, for its lease no longer held, is remembered until
the next flush of that lease; that one could not be written, also for the end of its run.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.checkpoints import KeptCheckpoint, StoredBlob, StoredCheckpoint, StoredWrite
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.sqlite.copying import copy_checkpoints
from runyard.runtime.storage.sqlite.database import Database
from runyard.runtime.storage.sqlite.leases import holds, lease_lost
from runyard.runtime.storage.sqlite.leftovers import remove_checkpoints, remove_history
from runyard.runtime.storage.sqlite.time_slice import TimeSlice


def undo_checkpoints_of_run(connection: sqlite3.Connection, sql: Queries, thread_id: str, run_id: str) -> None:
    """Deletes what a run has written on its thread, and brings back what it has replaced."""
    for name in (
        "delete_checkpoints_of_run_on_thread",
        "delete_blobs_of_run_on_thread",
        "delete_writes_of_run_on_thread",
        "restore_replaced_writes",
    ):
        connection.execute(sql[name], (thread_id, run_id))
    connection.execute(sql["delete_replaced_writes"], (thread_id,))


def cut_back_run(connection: sqlite3.Connection, sql: Queries, thread_id: str, run_id: str, checkpoint_id: str) -> None:
    """Deletes the checkpoints that a run has saved after the one of that id, and what it has written on that one."""
    for name in ("drop_checkpoints_after", "drop_writes_from"):
        connection.execute(sql[name], (thread_id, run_id, checkpoint_id))


def write_rows(connection: sqlite3.Connection, sql: Queries, rows: Iterable[CheckpointRow | WriteRow]) -> None:
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


def _keep_replaced(connection: sqlite3.Connection, sql: Queries, row: WriteRow) -> None:
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


def drop_history(connection: sqlite3.Connection, sql: Queries, thread_id: str, kept: Sequence[KeptCheckpoint]) -> bool:
    """Deletes all of a thread but the checkpoints named, for a slice of time; whether nothing else is left."""
    checkpoints = orjson.dumps([(item.ns, item.checkpoint_id) for item in kept]).decode()
    blobs = [(item.ns, channel, version) for item in kept for channel, version in item.versions.items()]
    return remove_history(connection, sql, thread_id, checkpoints, orjson.dumps(blobs).decode(), TimeSlice())


class SqliteCheckpoints:
    """Checkpoints as rows, their large channel values and pending writes in tables of their own.

    The query of `history` is put together from what was asked for.
    """

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries
        self._refused: set[Lease] = set()
        self._failed: dict[Lease | None, BaseException] = {}

    def post(self, lease: Lease | None, rows: Sequence[CheckpointRow | WriteRow]) -> None:
        self._database.write_later(
            lambda connection: self._write(connection, lease, rows), lambda error: self._failed.update({lease: error})
        )

    def _write(
        self, connection: sqlite3.Connection, lease: Lease | None, rows: Iterable[CheckpointRow | WriteRow]
    ) -> None:
        if lease is not None and not holds(connection, self._sql, lease):
            self._refused.add(lease)
            return
        write_rows(connection, self._sql, rows)

    async def flush(self, lease: Lease | None) -> None:
        await self._database.write(lambda connection: None)
        self._check(lease)

    def flush_blocking(self, lease: Lease | None) -> None:
        self._database.write_blocking(lambda connection: None)
        self._check(lease)

    def check_saved(self, lease: Lease | None) -> None:
        """Raises Unavailable when something that was posted could not be written: what the run does then is worth
        nothing, and it has to be tried again."""
        if (error := self._failed.get(lease)) is not None:
            raise Unavailable(f"a checkpoint could not be written: {error}")

    def _check(self, lease: Lease | None) -> None:
        try:
            self.check_saved(lease)
        finally:
            self._failed.pop(None, None)  # of a run it has to be known at its end too
        if lease is not None and lease in self._refused:
            self._refused.discard(lease)
            raise lease_lost(lease)

    def latest(self, thread_id: str, ns: str) -> StoredCheckpoint | None:
        return self._one("latest_checkpoint", (thread_id, ns))

    def get(self, thread_id: str, ns: str, checkpoint_id: str) -> StoredCheckpoint | None:
        return self._one("checkpoint", (thread_id, ns, checkpoint_id))

    def _one(self, name: str, parameters: tuple[str, ...]) -> StoredCheckpoint | None:
        def read(connection: sqlite3.Connection) -> StoredCheckpoint | None:
            row = connection.execute(self._sql[name], parameters).fetchone()
            return None if row is None else self._stored(connection, row)

        return self._database.read(read)

    def history(
        self, thread_id: str | None, ns: str | None, *, before: str | None, limit: int | None
    ) -> list[StoredCheckpoint]:
        def read(connection: sqlite3.Connection) -> list[StoredCheckpoint]:
            conditions, parameters = [], []
            for condition, value in (
                ("thread_id = ?", thread_id),
                ("ns = ?", ns),
                ("checkpoint_id < ?", before),
            ):
                if value is not None:
                    conditions.append(condition)
                    parameters.append(value)
            where = f"where {' and '.join(conditions)} " if conditions else ""
            rows = connection.execute(
                "select thread_id, ns, checkpoint_id, parent_id, type, data, metadata from checkpoints "
                f"{where}order by checkpoint_id desc limit ?",
                (*parameters, -1 if limit is None else limit),
            ).fetchall()
            return [self._stored(connection, row) for row in rows]

        return self._database.read(read)

    def _stored(self, connection: sqlite3.Connection, row: tuple[Any, ...]) -> StoredCheckpoint:
        writes = connection.execute(self._sql["writes"], row[:3]).fetchall()
        # LangGraph applies the writes of a step in the order of (task path, task id, index).
        writes.sort(key=lambda write: (write[4], write[0], write[5]))
        thread_id, ns, checkpoint_id, parent_id, kind, data, metadata = row
        stored = [StoredWrite(task_id, channel, type_, value) for task_id, channel, type_, value, _, _ in writes]
        return StoredCheckpoint(thread_id, ns, checkpoint_id, parent_id, kind, data, metadata, stored)

    def namespaces(self, thread_id: str) -> list[str]:
        rows = self._database.read(
            lambda connection: connection.execute(self._sql["namespaces"], (thread_id,)).fetchall()
        )
        return [row[0] for row in rows]

    def blobs(self, thread_id: str, ns: str, versions: dict[str, str]) -> dict[str, StoredBlob]:
        def read(connection: sqlite3.Connection) -> dict[str, StoredBlob]:
            found: dict[str, StoredBlob] = {}
            for channel, version in versions.items():
                row = connection.execute(self._sql["blob"], (thread_id, ns, channel, version)).fetchone()
                if row is not None:
                    found[channel] = StoredBlob(*row)
            return found

        return self._database.read(read)

    async def delete_thread(self, thread_id: str) -> None:
        await self._repeat(lambda connection: remove_checkpoints(connection, self._sql, thread_id, TimeSlice()))

    async def delete_runs(self, run_ids: Sequence[str]) -> None:
        await self._database.write(lambda connection: None)  # what was posted before is there to be found then
        for run_id in run_ids:
            for found, removing in (
                ("checkpoints_of_run", "remove_checkpoint"),
                ("blobs_of_run", "remove_blob"),
                ("writes_of_run", "remove_write"),
            ):
                await self._delete_rows(run_id, self._sql[found], self._sql[removing])

    async def _delete_rows(self, run_id: str, found: str, removing: str) -> None:
        def read(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
            return connection.execute(found, (run_id,)).fetchall()

        rows = await self._database.read_in_pool(read, "lookup")

        def step(connection: sqlite3.Connection) -> bool:
            time_slice = TimeSlice()
            while rows:
                connection.execute(removing, rows.pop())
                if time_slice.over:
                    break
            return not rows

        await self._repeat(step)

    async def _repeat(self, step: Callable[[sqlite3.Connection], bool]) -> None:
        """One transaction after the other, until a step says that all is done."""
        while not await self._database.write(step):
            pass

    async def copy_thread(self, source: str, target: str) -> None:
        await self._database.write(lambda connection: None)  # what was posted before is there to be copied then
        await self._database.read_in_pool(
            lambda reader: copy_checkpoints(reader, self._database, source, target), "copy"
        )

    async def prune(self, thread_id: str, keep: Sequence[KeptCheckpoint]) -> None:
        await self._repeat(lambda connection: drop_history(connection, self._sql, thread_id, keep))
