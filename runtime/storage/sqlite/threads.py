"""Threads, on SQLite."""

import sqlite3
from collections.abc import Mapping

from runyard.generated.models import Thread, ThreadCountRequest, ThreadSearchRequest
from runyard.runtime.storage.sqlite.database import Database
from runyard.runtime.storage.sqlite.filters import Conditions
from runyard.runtime.storage.sqlite.rows import as_dict, as_dicts, thread_from_row


class SqliteThreads:
    """See `ThreadStorage`."""

    def __init__(self, database: Database, queries: Mapping[str, str]) -> None:
        self._database = database
        self._sql = queries

    async def get(self, thread_id: str) -> Thread | None:
        row = self._database.look(lambda connection: as_dict(connection, self._sql["thread"], (thread_id,)))
        return None if row is None else thread_from_row(row)

    async def values(self, thread_id: str) -> bytes | None:
        row = self._database.look(
            lambda connection: connection.execute(
                "select state from threads where thread_id = ?", (thread_id,)
            ).fetchone()
        )
        return None if row is None else row[0]

    async def graph_id(self, thread_id: str) -> str | None:
        row = self._database.look(
            lambda connection: connection.execute(
                "select graph_id from threads where thread_id = ?", (thread_id,)
            ).fetchone()
        )
        return None if row is None else row[0]

    async def search(self, request: ThreadSearchRequest, *, limit: int, offset: int) -> list[Thread]:
        where = _conditions(request)
        where.among("thread_id", request.ids)
        column = request.sort_by or "created_at"
        order = request.sort_order or "desc"
        sql = f"select * from threads {where} order by {column} {order}, rowid {order} limit ? offset ?"
        rows = await self._database.scan(
            lambda connection: as_dicts(connection, sql, (*where.parameters, limit, offset))
        )
        return [thread_from_row(row) for row in rows]

    async def count(self, request: ThreadCountRequest) -> int:
        where = _conditions(request)

        def look(connection: sqlite3.Connection) -> int:
            (count,) = connection.execute(f"select count(*) from threads {where}", where.parameters).fetchone()
            return int(count)

        return await self._database.scan(look)


def _conditions(request: ThreadSearchRequest | ThreadCountRequest) -> Conditions:
    where = Conditions()
    where.equal("status", request.status)
    where.containing("metadata", request.metadata)
    where.containing("state", request.values)
    return where
