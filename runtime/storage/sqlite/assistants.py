"""Assistants, on SQLite."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from runyard.generated.models import Assistant, AssistantSearchRequest
from runyard.runtime.storage.sqlite.database import Database, now
from runyard.runtime.storage.sqlite.filters import Conditions
from runyard.runtime.storage.sqlite.rows import as_dict, as_dicts, iso

SYSTEM = '{"created_by":"system"}'


class SqliteAssistants:
    """See `AssistantStorage`."""

    def __init__(self, database: Database, queries: Mapping[str, str]) -> None:
        self._database = database
        self._sql = queries

    async def ensure_system(self, graphs: Sequence[tuple[str, str, str | None]]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            time = now()
            for assistant_id, graph_id, description in graphs:
                connection.execute(
                    "insert into assistants (assistant_id, graph_id, name, description, config, context, metadata, "
                    "version, created_at, updated_at) values (?, ?, ?, ?, '{}', '{}', ?, 1, ?, ?) "
                    "on conflict (assistant_id) do update set description = excluded.description",
                    (assistant_id, graph_id, graph_id, description, SYSTEM, time, time),
                )

        await self._database.write(work)

    async def get(self, assistant_id: str) -> Assistant | None:
        row = self._database.look(
            lambda connection: as_dict(connection, "select * from assistants where assistant_id = ?", (assistant_id,))
        )
        return None if row is None else _assistant(row)

    async def search(self, request: AssistantSearchRequest, *, limit: int, offset: int) -> list[Assistant]:
        where = Conditions()
        where.equal("graph_id", request.graph_id)
        if request.name is not None:
            where.like("name", request.name)
        where.containing("metadata", request.metadata)
        column = request.sort_by or "created_at"
        order = request.sort_order or "desc"
        sql = f"select * from assistants {where} order by {column} {order}, rowid {order} limit ? offset ?"
        rows = await self._database.scan(
            lambda connection: as_dicts(connection, sql, (*where.parameters, limit, offset))
        )
        return [_assistant(row) for row in rows]


def _assistant(row: dict[str, Any]) -> Assistant:
    return Assistant(
        assistant_id=row["assistant_id"],
        graph_id=row["graph_id"],
        config=orjson.loads(row["config"]),
        context=orjson.loads(row["context"]),
        created_at=iso(row["created_at"]),
        updated_at=iso(row["updated_at"]),
        metadata=orjson.loads(row["metadata"]),
        version=row["version"],
        name=row["name"],
        description=row["description"],
    )
