"""Rows of the LangGraph saver, on SQLite. Reads take microseconds, so they are answered where they are asked for."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

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
from runyard.runtime.storage.shared.checkpoints import drop_history
from runyard.runtime.storage.shared.copying import copy_checkpoints
from runyard.runtime.storage.shared.removal import remove_checkpoints
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.checkpoints.checkpoint_rows import write_rows
from runyard.runtime.storage.sqlite.database.connection import Connection
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.leases import holds, lease_lost
from runyard.runtime.storage.time_slice import TimeSlice

T = TypeVar("T")


def _of_one_state(connection: Connection, read: Callable[[Connection], T]) -> T:
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
        def work(connection: Connection) -> None:
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
        def read(connection: Connection) -> StoredCheckpoint | None:
            row = connection.execute(self._sql[name], parameters).fetchone()
            return None if row is None else self._stored(connection, row, references)

        return self._database.read_here(lambda connection: _of_one_state(connection, read))

    async def history(
        self,
        thread_id: str | None,
        ns: str | None,
        *,
        before: str | None,
        limit: int | None,
        references: References | None = None,
    ) -> list[StoredCheckpoint]:
        def read(connection: Connection) -> list[StoredCheckpoint]:
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

        return self._database.read_here(lambda connection: _of_one_state(connection, read))

    def _stored(self, connection: Connection, row: tuple[Any, ...], references: References | None) -> StoredCheckpoint:
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
        rows = self._database.read_here(
            lambda connection: connection.execute(self._sql["namespaces"], (thread_id,)).fetchall()
        )
        return [row[0] for row in rows]

    async def blobs(self, thread_id: str, ns: str, versions: Mapping[str, str]) -> dict[str, StoredBlob]:
        return self._database.read_here(lambda connection: self._blobs(connection, thread_id, ns, versions))

    def _blobs(
        self, connection: Connection, thread_id: str, ns: str, versions: Mapping[str, str]
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
        def read(connection: Connection) -> list[tuple[Any, ...]]:
            return connection.execute(found, (run_id,)).fetchall()

        rows = await self._database.read_in_pool(read, "lookup")

        def step(connection: Connection) -> bool:
            time_slice = TimeSlice()
            while rows:
                connection.execute(removing, rows.pop())
                if time_slice.over:
                    break
            return not rows

        await self._repeat(step)

    async def _repeat(self, step: Callable[[Connection], bool]) -> None:
        """One transaction after the other, until a step says that all is done."""
        while not await self._database.write(step):
            pass

    async def copy_thread(self, source: str, target: str) -> None:
        await self._database.copying(lambda reader: copy_checkpoints(reader, self._database, self._sql, source, target))

    async def prune(self, thread_id: str, keep: Sequence[KeptCheckpoint]) -> None:
        await self._repeat(lambda connection: drop_history(connection, self._sql, thread_id, keep))
