"""Rows of the LangGraph saver, on Postgres.

A checkpoint is never seen without the values that it refers to, whoever prunes: what was deleted while it was read is
read again.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from runyard.runtime.errors import LeaseLost
from runyard.runtime.storage.patience import patience
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
from runyard.runtime.storage.postgres.checkpoints.checkpoint_rows import columns_of_added, write_rows
from runyard.runtime.storage.postgres.database.connection import SLICES, Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.database.exchange import Row
from runyard.runtime.storage.postgres.database.groups import Groups
from runyard.runtime.storage.postgres.leases import lease_lost, named_leases, places_of_held
from runyard.runtime.storage.shared.checkpoints import drop_history
from runyard.runtime.storage.shared.copying import copy_checkpoints
from runyard.runtime.storage.shared.removal import remove_checkpoints
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.time_slice import PIECE, TimeSlice

T = TypeVar("T")

_BlobKey = tuple[str, str, str, str]
"""Thread, namespace, channel and version."""


class _Append(NamedTuple):
    """What `CheckpointWriter.append` is asked for."""

    lease: Lease | None
    rows: Sequence[CheckpointRow | WriteRow]


class _Written(Handover):
    """The writing of one append."""

    def __init__(self, appends: Groups[_Append, None]) -> None:
        super().__init__()
        self._appends = appends

    def hasten(self) -> None:
        self._appends.hasten(self)


class PostgresCheckpoints:
    """Checkpoints as rows, their large channel values and pending writes in tables of their own.

    Queries of checkpoints are put together from what was asked for.
    """

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries
        # Of a lease, the row of its run is locked; what a service writes has the lock of its threads.
        self._appends: Groups[_Append, None] = Groups(
            database,
            self._write,
            lambda append: () if append.lease is not None else sorted({row.thread_id for row in append.rows}),
            at_once=self._write_at_once,
            repeatable=True,
        )

    def append(self, lease: Lease | None, rows: Sequence[CheckpointRow | WriteRow]) -> Handover:
        written = _Written(self._appends)
        # Without a lease a client asks, who wants to know at once that the database is away.
        self._appends.put_off(_Append(lease, rows), written, None if lease is not None else patience.get())
        return written

    def _write(self, connection: Connection, appends: Sequence[_Append]) -> list[LeaseLost | None]:
        leased = {place: append.lease for place, append in enumerate(appends) if append.lease is not None}
        held = places_of_held(connection, self._sql, leased)
        results = [
            lease_lost(leased[place]) if place in leased and place not in held else None
            for place in range(len(appends))
        ]
        write_rows(
            connection,
            self._sql,
            [row for (_, rows), lost in zip(appends, results, strict=True) if lost is None for row in rows],
        )
        return results

    def _write_at_once(self, appends: Sequence[_Append]) -> dict[int, None]:
        """Those of runs, in a statement, if all leases hold; in the pool thread that this is called in."""
        leased = {place: append.lease for place, append in enumerate(appends) if append.lease is not None}
        columns = columns_of_added([row for place in leased for row in appends[place].rows])
        if not leased or columns is None:
            return {}
        rows = {f"rows_{number}": column for number, column in enumerate(columns)}
        [(held,)] = self._database.write_one_here(self._sql["append_rows"], {**named_leases(leased), **rows})
        return dict.fromkeys(leased) if held else {}

    async def latest(self, thread_id: str, ns: str, references: References | None = None) -> StoredCheckpoint | None:
        found = await self.history(thread_id, ns, before=None, limit=1, references=references)
        return found[0] if found else None

    async def get(
        self, thread_id: str, ns: str, checkpoint_id: str, references: References | None = None
    ) -> StoredCheckpoint | None:
        conditions = "thread_id = %s and ns = %s and checkpoint_id = %s"
        found = await self._read(conditions, (thread_id, ns, checkpoint_id), 1, references)
        return found[0] if found else None

    async def history(
        self,
        thread_id: str | None,
        ns: str | None,
        *,
        before: str | None,
        limit: int | None,
        references: References | None = None,
    ) -> list[StoredCheckpoint]:
        conditions, parameters = [], list[Any]()
        for condition, value in (
            ("thread_id = %s", thread_id),
            ("ns = %s", ns),
            ("checkpoint_id < %s", before),
        ):
            if value is not None:
                conditions.append(condition)
                parameters.append(value)
        return await self._read(" and ".join(conditions) or "true", parameters, limit, references)

    async def _read(
        self, conditions: str, parameters: Sequence[Any], limit: int | None, references: References | None
    ) -> list[StoredCheckpoint]:
        statement = f"{self._sql['stored_checkpoints']} where {conditions} order by checkpoint_id desc limit %s::bigint"

        def read(connection: Connection) -> list[StoredCheckpoint]:
            while True:
                rows = connection.execute(statement, (*parameters, limit)).fetchall()
                stored = [_stored(row) for row in rows]
                if references is None or self._with_values(connection, stored, references):
                    return stored

        return await self._database.read(read)

    def _with_values(self, connection: Connection, stored: Sequence[StoredCheckpoint], references: References) -> bool:
        """Adds the channel values that checkpoints refer to. False: some checkpoints were deleted since they were
        read, and their values may have been."""
        wanted = [
            {channel: (each.thread_id, each.ns, channel, version) for channel, version in referred.items()}
            for each, referred in ((each, references(each.type, each.data)) for each in stored)
        ]
        keys = {key for of_one in wanted for key in of_one.values()}
        if not keys:
            return True
        checkpoints = [(each.thread_id, each.ns, each.checkpoint_id) for each in stored]
        rows = connection.execute(
            self._sql["blobs_of_checkpoints"], [*_columns(checkpoints), *_columns(list(keys))]
        ).fetchall()
        blobs = {row[1:5]: StoredBlob(*row[5:]) for row in rows}
        for each, of_one in zip(stored, wanted, strict=True):
            each.blobs.update({channel: blobs[key] for channel, key in of_one.items() if key in blobs})
        return bool(rows[0][0] == len(stored))

    def _blobs(self, connection: Connection, keys: Iterable[_BlobKey]) -> dict[_BlobKey, StoredBlob]:
        wanted = list(keys)
        if not wanted:
            return {}
        rows = connection.execute(self._sql["blobs"], _columns(wanted))
        return {row[:4]: StoredBlob(*row[4:]) for row in rows}

    async def namespaces(self, thread_id: str) -> list[str]:
        rows = await self._database.read(
            lambda connection: connection.execute(self._sql["namespaces"], (thread_id,)).fetchall()
        )
        return [row[0] for row in rows]

    async def blobs(self, thread_id: str, ns: str, versions: Mapping[str, str]) -> dict[str, StoredBlob]:
        keys = [(thread_id, ns, channel, version) for channel, version in versions.items()]
        found = await self._database.read(lambda connection: self._blobs(connection, keys))
        return {channel: blob for (_, _, channel, _), blob in found.items()}

    def wait_for(self, reading: Coroutine[Any, Any, T]) -> T:
        try:
            with self._database.blocking():
                reading.send(None)
        except StopIteration as answered:
            answer: T = answered.value
            return answer
        reading.close()
        raise RuntimeError("only reads of checkpoints, which never suspend here, can be waited for")

    async def delete_thread(self, thread_id: str) -> None:
        await self._repeat(
            lambda connection: remove_checkpoints(connection, self._sql, thread_id, TimeSlice(SLICES)), [thread_id]
        )

    async def delete_runs(self, run_ids: Sequence[str]) -> None:
        for found, removing in (
            ("checkpoints_of_runs", "remove_checkpoint"),
            ("blobs_of_runs", "remove_blob"),
            ("writes_of_runs", "remove_write"),
        ):
            await self._delete_rows(list(run_ids), self._sql[found], self._sql[removing])

    async def _delete_rows(self, run_ids: list[str], found: str, removing: str) -> None:
        rows = await self._database.snapshot(
            lambda connection: connection.execute(found, (run_ids,)).fetchall(), "search"
        )
        for start in range(0, len(rows), PIECE):
            piece = rows[start : start + PIECE]
            await self._database.write(
                partial(Connection.execute_many, statement=removing, rows=piece), locks={row[0] for row in piece}
            )

    async def _repeat(self, step: Callable[[Connection], bool], locks: Sequence[str]) -> None:
        """One transaction after the other, until a step says that all is done."""
        while not await self._database.write(step, locks=locks):
            pass

    async def copy_thread(self, source: str, target: str) -> None:
        await self._database.copying(lambda reader: copy_checkpoints(reader, self._database, self._sql, source, target))

    async def prune(self, thread_id: str, keep: Sequence[KeptCheckpoint]) -> None:
        await self._repeat(lambda connection: drop_history(connection, self._sql, thread_id, keep), [thread_id])


def _stored(row: Row) -> StoredCheckpoint:
    thread_id, ns, checkpoint_id, parent_id, kind, data, metadata, tasks, channels, types, datas = row
    writes = [] if tasks is None else [StoredWrite(*write) for write in zip(tasks, channels, types, datas, strict=True)]
    return StoredCheckpoint(thread_id, ns, checkpoint_id, parent_id, kind, data, metadata, writes)


def _columns(rows: Sequence[tuple[str, ...]]) -> list[list[str]]:
    return [list(column) for column in zip(*rows, strict=True)]
