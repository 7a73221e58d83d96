"""Threads, on every backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from runyard.generated.models import Thread, ThreadCountRequest, ThreadSearchRequest, ThreadStorage
from runyard.runtime.scope import Scope
from runyard.runtime.storage.kept_answers import pack_thread
from runyard.runtime.storage.port.checkpoints import KeptCheckpoint
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.threads import (
    NO_METADATA,
    ChannelReader,
    DeletedThreads,
    IfExists,
    Leftovers,
    NewThread,
    StateEdit,
    StateReading,
)
from runyard.runtime.storage.rows.rows import thread_from_row
from runyard.runtime.storage.shared import thread_edits as edits
from runyard.runtime.storage.shared.copying import copy_thread
from runyard.runtime.storage.shared.leftovers import remove_leftovers, write_without_leftovers
from runyard.runtime.storage.shared.scoping import on_thread, shows_thread
from runyard.runtime.storage.shared.thread_search import ThreadTables, count_threads, search_threads
from runyard.runtime.storage.shared.usage import usage_of_thread
from runyard.runtime.storage.shared.used_keys import keep_key
from runyard.runtime.storage.sql.fetching import fetch_dict
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database, Statements

C = TypeVar("C", bound=Statements)

EXPIRY_PAUSE = 60_000_000
LONGEST_EXPIRY_PAUSE = 86_400_000_000
"""Microseconds until dropping a history is tried again: after the first failure, and at the most."""


class Threads(Generic[C]):
    """Threads as rows that hold their latest values too, so that none of a thread's checkpoints need be unpacked to
    show it."""

    def __init__(
        self, database: Database[C], queries: Queries, tables: ThreadTables, write_rows: edits.WriteRows[C]
    ) -> None:
        """`write_rows` writes rows of checkpoints."""
        self._database = database
        self._sql = queries
        self._tables = tables
        self._write_rows = write_rows

    # Reading

    async def get(self, scope: Scope, thread_id: str) -> Thread | None:
        return await self._database.read_in_scope(
            scope, on_thread(scope, thread_id, lambda connection: self._get(connection, thread_id))
        )

    def _get(self, connection: Statements, thread_id: str) -> Thread | None:
        row = fetch_dict(connection, self._sql["thread"], (thread_id,))
        return None if row is None else thread_from_row(row)

    async def values(self, scope: Scope, thread_id: str) -> bytes | None:
        row = await self._read_row(scope, self._sql["thread_values"], thread_id)
        return None if row is None else row[0]

    async def graph_ids(self, scope: Scope, thread_id: str) -> list[str] | None:
        row = await self._read_row(scope, self._sql["graphs_of_thread"], thread_id)
        return None if row is None else [graph_id for graph_id in row if graph_id is not None]

    async def _read_row(self, scope: Scope, sql: str, thread_id: str) -> tuple[Any, ...] | None:
        return await self._database.read_in_scope(
            scope,
            on_thread(scope, thread_id, lambda connection: connection.execute(sql, (thread_id,)).fetchone()),
        )

    async def search(self, scope: Scope, request: ThreadSearchRequest, *, limit: int, offset: int) -> list[Thread]:
        return await self._database.search(
            lambda connection: search_threads(connection, self._tables, scope, request, limit=limit, offset=offset)
        )

    async def count(self, scope: Scope, request: ThreadCountRequest) -> int:
        return await self._database.search(lambda connection: count_threads(connection, self._tables, scope, request))

    async def usage(self, scope: Scope, thread_id: str, read: ChannelReader) -> ThreadStorage | None:
        return await self._database.search(
            on_thread(scope, thread_id, lambda connection: usage_of_thread(connection, self._sql, thread_id, read))
        )

    # Editing

    async def create(self, scope: Scope, new_thread: NewThread, if_exists: IfExists) -> Thread:
        def work(connection: C) -> Thread:
            edits.create_thread(connection, self._sql, scope, new_thread, if_exists, self._write_rows)
            created = self._get(connection, new_thread.thread_id)
            assert created is not None
            if new_thread.key is not None:
                keep_key(connection, self._sql, scope, new_thread.key, pack_thread(created))
            return created

        return await write_without_leftovers(self._database, self._sql, work, [new_thread.thread_id])

    async def copy(
        self,
        scope: Scope,
        source: str,
        target: str,
        expiry: Expiry | None = None,
        metadata: Mapping[str, Any] = NO_METADATA,
        key: IdempotencyKey | None = None,
    ) -> Thread | None:
        def read(reader: C) -> bool:
            return copy_thread(reader, self._database, self._sql, scope, source, target, expiry, metadata, key)

        if not await self._database.copying(read):
            return None
        return await self._database.read(lambda connection: self._get(connection, target))

    async def patch(
        self, scope: Scope, thread_id: str, metadata: Mapping[str, Any] | None, expiry: Expiry | None
    ) -> Thread | None:
        def work(connection: Statements) -> Thread | None:
            edits.patch_thread(connection, self._sql, scope, thread_id, metadata, expiry)
            return self._get(connection, thread_id)

        return await self._database.write(on_thread(scope, thread_id, work), locks=[thread_id])

    async def delete(self, scope: Scope, thread_ids: Sequence[str]) -> DeletedThreads:
        def work(connection: Statements) -> DeletedThreads:
            shown = (thread_id for thread_id in thread_ids if shows_thread(connection, scope, thread_id))
            return edits.delete_threads(connection, self._sql, shown)

        return await self._database.write(work, locks=thread_ids)

    async def edit_state(self, scope: Scope, thread_id: str, edit: StateEdit) -> None:
        await self._database.write(
            lambda connection: edits.edit_state(connection, self._sql, scope, thread_id, edit, self._write_rows),
            locks=[thread_id],
        )

    async def unsettled(self, limit: int, thread_id: str | None = None) -> list[str]:
        name = "unsettled_threads" if thread_id is None else "unsettled_thread"
        parameters: list[int | str] = [limit if thread_id is None else thread_id]
        rows = await self._database.read(lambda connection: connection.execute(self._sql[name], parameters).fetchall())
        return [row[0] for row in rows]

    async def settle(self, thread_id: str, reading: StateReading) -> bool:
        return await self._database.write(
            lambda connection: edits.settle(connection, self._sql, thread_id, reading), locks=[thread_id]
        )

    async def keep_latest(self, scope: Scope, thread_id: str, base: str, kept: Sequence[KeptCheckpoint]) -> bool:
        def step(connection: Statements) -> bool | None:
            if not shows_thread(connection, scope, thread_id):
                return False
            return edits.keep_latest(connection, self._sql, thread_id, base, kept)

        while (kept_latest := await self._database.write(step, locks=[thread_id])) is None:
            pass
        return kept_latest

    # Expiring

    async def remove_leftovers(self) -> Leftovers:
        if not await self._database.read(lambda connection: connection.execute(self._sql["any_discarded"]).fetchone()):
            return Leftovers(more=False)
        return await self._database.write(lambda connection: remove_leftovers(connection, self._sql))

    async def postpone_expiry(self, thread_id: str) -> None:
        def work(connection: Statements) -> None:
            given = {"thread_id": thread_id, "pause": EXPIRY_PAUSE, "longest": LONGEST_EXPIRY_PAUSE}
            connection.execute(self._sql["postpone_expiry"], {**given, "now": connection.now})

        await self._database.write(work)

    async def delete_expired(self, limit: int) -> DeletedThreads:
        found = await self._database.read(lambda connection: self._expired(connection, "delete", limit))
        if not found:
            return DeletedThreads()

        def work(connection: Statements) -> DeletedThreads:
            still = self._expired(connection, "delete", limit)
            return edits.delete_threads(connection, self._sql, [thread_id for thread_id in still if thread_id in found])

        return await self._database.write(work, locks=found)

    async def history_expired(self, limit: int) -> list[str]:
        return await self._database.read(lambda connection: self._expired(connection, "keep_latest", limit))

    def _expired(self, connection: Statements, strategy: str, limit: int) -> list[str]:
        rows = connection.execute(self._sql["expired_threads"], {"strategy": strategy, "limit": limit}).fetchall()
        return [thread_id for (thread_id,) in rows]
