"""Rows of the LangGraph saver, on SQLite. Reads take microseconds, so they are answered where they are asked for."""

import sqlite3
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.checkpoints import (
    Handover,
    KeptCheckpoint,
    References,
    StoredBlob,
    StoredCheckpoint,
    StoredWrite,
)
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.removal import remove_checkpoints, remove_history
from runyard.runtime.storage.sqlite.copying import copy_checkpoints
from runyard.runtime.storage.sqlite.database import Database
from runyard.runtime.storage.sqlite.leases import holds, lease_lost
from runyard.runtime.storage.time_slice import TimeSlice

T = TypeVar("T")


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


def _of_one_state(connection: sqlite3.Connection, read: Callable[[sqlite3.Connection], T]) -> T:
    """Reads a checkpoint with all that belongs to it, whoever deletes that meanwhile."""
    connection.execute("begin")
    try:
        return read(connection)
    finally:
        connection.execute("commit")


class _Append(Handover):
    """Refers to nothing that refers to it, as do all that come in numbers: else they would stay until the garbage is
    collected, with their rows, and collecting garbage would take much of a worker's time."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    def hasten(self) -> None:
        self._database.hasten(self)


class SqliteCheckpoints:
    """Checkpoints as rows, their large channel values and pending writes in tables of their own.

    The query of `history` is put together from what was asked for.
    """

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries

    def append(self, lease: Lease | None, rows: Sequence[CheckpointRow | WriteRow]) -> Handover:
        def work(connection: sqlite3.Connection) -> None:
            if lease is not None and not holds(connection, self._sql, lease):
                raise lease_lost(lease)
            write_rows(connection, self._sql, rows)

        append = _Append(self._database)
        self._database.write_by_and_by(work, append)
        return append

    async def latest(self, thread_id: str, ns: str, references: References | None = None) -> StoredCheckpoint | None:
        return self._one("latest_checkpoint", (thread_id, ns), references)

    async def get(
        self, thread_id: str, ns: str, checkpoint_id: str, references: References | None = None
    ) -> StoredCheckpoint | None:
        return self._one("checkpoint", (thread_id, ns, checkpoint_id), references)

    def _one(self, name: str, parameters: tuple[str, ...], references: References | None) -> StoredCheckpoint | None:
        def read(connection: sqlite3.Connection) -> StoredCheckpoint | None:
            row = connection.execute(self._sql[name], parameters).fetchone()
            return None if row is None else self._stored(connection, row, references)

        return self._database.read(lambda connection: _of_one_state(connection, read))

    async def history(
        self,
        thread_id: str | None,
        ns: str | None,
        *,
        before: str | None,
        limit: int | None,
        references: References | None = None,
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
            return [self._stored(connection, row, references) for row in rows]

        return self._database.read(lambda connection: _of_one_state(connection, read))

    def _stored(
        self, connection: sqlite3.Connection, row: tuple[Any, ...], references: References | None
    ) -> StoredCheckpoint:
        writes = connection.execute(self._sql["writes"], row[:3]).fetchall()
        # LangGraph applies the writes of a step in the order of (task path, task id, index).
        writes.sort(key=lambda write: (write[4], write[0], write[5]))
        thread_id, ns, checkpoint_id, parent_id, kind, data, metadata = row
        return StoredCheckpoint(
            thread_id,
            ns,
            checkpoint_id,
            parent_id,
            kind,
            data,
            metadata,
            [StoredWrite(task_id, channel, type_, value) for task_id, channel, type_, value, _, _ in writes],
            {} if references is None else self._blobs(connection, thread_id, ns, references(kind, data)),
        )

    async def namespaces(self, thread_id: str) -> list[str]:
        rows = self._database.read(
            lambda connection: connection.execute(self._sql["namespaces"], (thread_id,)).fetchall()
        )
        return [row[0] for row in rows]

    async def blobs(self, thread_id: str, ns: str, versions: Mapping[str, str]) -> dict[str, StoredBlob]:
        return self._database.read(lambda connection: self._blobs(connection, thread_id, ns, versions))

    def _blobs(
        self, connection: sqlite3.Connection, thread_id: str, ns: str, versions: Mapping[str, str]
    ) -> dict[str, StoredBlob]:
        found: dict[str, StoredBlob] = {}
        for channel, version in versions.items():
            row = connection.execute(self._sql["blob"], (thread_id, ns, channel, version)).fetchone()
            if row is not None:
                found[channel] = StoredBlob(*row)
        return found

    def wait_for(self, reading: Coroutine[Any, Any, T]) -> T:
        try:
            reading.send(None)
        except StopIteration as answered:
            answer: T = answered.value
            return answer
        reading.close()
        raise RuntimeError("only reads of checkpoints, which never suspend here, can be waited for")

    async def delete_thread(self, thread_id: str) -> None:
        await self._repeat(lambda connection: remove_checkpoints(connection, self._sql, thread_id, TimeSlice()))

    async def delete_runs(self, run_ids: Sequence[str]) -> None:
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
        await self._database.read_in_pool(
            lambda reader: copy_checkpoints(reader, self._database, source, target), "copy"
        )

    async def prune(self, thread_id: str, keep: Sequence[KeptCheckpoint]) -> None:
        await self._repeat(lambda connection: drop_history(connection, self._sql, thread_id, keep))
