"""Threads, on Postgres."""

from collections.abc import Iterable, Mapping
from typing import Any

from runyard.generated.models import Thread, ThreadCountRequest, ThreadSearchRequest
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.threads import NO_METADATA
from runyard.runtime.storage.postgres.checkpoints.checkpoint_rows import write_rows
from runyard.runtime.storage.postgres.copying import copy_thread
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.threads.search import count_threads, search_threads
from runyard.runtime.storage.shared.threads import Threads
from runyard.runtime.storage.sql.queries import Queries


class PostgresThreads(Threads[Connection]):
    """See `Threads`."""

    def __init__(self, database: Database, queries: Queries) -> None:
        super().__init__(database, queries)
        self._own_database = database

    async def copy(
        self,
        scope: Scope,
        source: str,
        target: str,
        expiry: Expiry | None = None,
        metadata: Mapping[str, Any] = NO_METADATA,
        key: IdempotencyKey | None = None,
    ) -> Thread | None:
        def read(reader: Connection) -> bool:
            return copy_thread(reader, self._own_database, self._sql, scope, source, target, expiry, metadata, key)

        if not await self._own_database.snapshot(read, "copy"):
            return None
        return await self._database.read(lambda connection: self._get(connection, target))

    def _search(
        self, connection: Connection, scope: Scope, request: ThreadSearchRequest, *, limit: int, offset: int
    ) -> list[Thread]:
        return search_threads(connection, scope, request, limit=limit, offset=offset)

    def _count(self, connection: Connection, scope: Scope, request: ThreadCountRequest) -> int:
        return count_threads(connection, scope, request)

    def _write_rows(self, connection: Connection, sql: Queries, rows: Iterable[CheckpointRow | WriteRow]) -> None:
        write_rows(connection, sql, rows)
