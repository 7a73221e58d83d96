"""Assistants with all their versions, on SQLite."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from runyard.generated.models import (
    Assistant,
    AssistantCountRequest,
    AssistantSearchRequest,
    AssistantVersionsSearchRequest,
)
from runyard.runtime.errors import Conflict, NotFound
from runyard.runtime.storage.port.assistants import AssistantChange, AssistantDeletion, DefaultAssistant
from runyard.runtime.storage.port.threads import IfExists
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.sqlite.conditions import Conditions
from runyard.runtime.storage.sqlite.database import Database, now
from runyard.runtime.storage.sqlite.rows import fetch_dict, fetch_dicts, iso_time
from runyard.runtime.storage.sqlite.threads.edits import delete_threads


class SqliteAssistants:
    """Assistants as rows that repeat their latest version. The queries of searches and of `versions` are put together
    from what was asked for."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries

    async def ensure_system(self, assistants: Sequence[DefaultAssistant]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            for assistant in assistants:
                self._ensure(connection, assistant)

        await self._database.write(work)

    def _ensure(self, connection: sqlite3.Connection, assistant: DefaultAssistant) -> None:
        time = now()
        new = {
            "assistant_id": assistant.assistant_id,
            "graph_id": assistant.graph_id,
            "name": assistant.name,
            "description": assistant.description,
            "config": "{}",
            "context": "{}",
            "metadata": '{"created_by":"system"}',
            "version": 1,
            "created_at": time,
            "updated_at": time,
        }
        if connection.execute(self._sql["ensure_assistant"], new).rowcount:
            connection.execute(self._sql["insert_version"], new)

    async def get(self, assistant_id: str) -> Assistant | None:
        return self._database.read(lambda connection: self._get(connection, assistant_id))

    def _get(self, connection: sqlite3.Connection, assistant_id: str) -> Assistant | None:
        row = fetch_dict(connection, self._sql["assistant"], (assistant_id,))
        return None if row is None else _assistant(row)

    async def search(self, request: AssistantSearchRequest, *, limit: int, offset: int) -> list[Assistant]:
        where = _conditions(request)
        column, order = request.sort_by or "created_at", request.sort_order or "desc"
        sql = f"select * from assistants {where} order by {column} {order}, rowid {order} limit ? offset ?"
        rows = await self._database.read_in_pool(
            lambda connection: fetch_dicts(connection, sql, (*where.parameters, limit, offset)), "search"
        )
        return [_assistant(row) for row in rows]

    async def count(self, request: AssistantCountRequest) -> int:
        where = _conditions(request)
        sql = f"select count(*) from assistants {where}"
        found = await self._database.read_in_pool(
            lambda connection: connection.execute(sql, where.parameters).fetchone(), "search"
        )
        return int(found[0])

    async def versions(self, assistant_id: str, request: AssistantVersionsSearchRequest) -> list[Assistant] | None:
        where = Conditions()
        where.equal("assistant_id", assistant_id)
        where.containing("metadata", request.metadata)
        sql = (
            f"select *, created_at as updated_at from assistant_versions {where} order by version desc limit ? offset ?"
        )

        def read(connection: sqlite3.Connection) -> list[Assistant] | None:
            if self._get(connection, assistant_id) is None:
                return None
            rows = fetch_dicts(connection, sql, (*where.parameters, request.limit, request.offset))
            return [_assistant(row) for row in rows]

        return await self._database.read_in_pool(read, "search")

    # Editing

    async def create(self, assistant: Assistant, if_exists: IfExists) -> Assistant:
        def work(connection: sqlite3.Connection) -> Assistant:
            existing = self._get(connection, assistant.assistant_id)
            if existing is not None:
                if if_exists == "raise":
                    raise Conflict(f"Assistant {assistant.assistant_id} already exists")
                return existing
            time = now()
            self._put(connection, {**_row(assistant), "version": 1, "created_at": time, "updated_at": time})
            created = self._get(connection, assistant.assistant_id)
            assert created is not None
            return created

        return await self._database.write(work)

    async def change(self, assistant_id: str, change: AssistantChange) -> Assistant | None:
        def work(connection: sqlite3.Connection) -> Assistant | None:
            found = fetch_dict(connection, self._sql["assistant"], (assistant_id,))
            if found is None:
                return None
            (latest,) = connection.execute(self._sql["latest_version"], (assistant_id,)).fetchone()
            changed = {**_row(change(_assistant(found))), "version": max(latest or 0, found["version"]) + 1}
            self._put(connection, {**changed, "created_at": found["created_at"], "updated_at": now()})
            return self._get(connection, assistant_id)

        return await self._database.write(work)

    def _put(self, connection: sqlite3.Connection, row: dict[str, Any]) -> None:
        """Writes a new version and makes it the latest."""
        connection.execute(self._sql["put_assistant"], row)
        connection.execute(self._sql["insert_version"], {**row, "created_at": row["updated_at"]})

    async def set_latest(self, assistant_id: str, version: int) -> Assistant | None:
        def work(connection: sqlite3.Connection) -> Assistant | None:
            if self._get(connection, assistant_id) is None:
                return None
            changed = connection.execute(
                self._sql["set_latest"], {"assistant_id": assistant_id, "version": version, "now": now()}
            )
            if not changed.rowcount:
                raise NotFound(f"Version {version} not found for assistant {assistant_id}")
            return self._get(connection, assistant_id)

        return await self._database.write(work)

    async def delete(
        self, assistant_id: str, *, threads: int, renewed: DefaultAssistant | None = None
    ) -> AssistantDeletion | None:
        def work(connection: sqlite3.Connection) -> AssistantDeletion | None:
            if self._get(connection, assistant_id) is None:
                return None
            found: list[str] = []
            for name in ("threads_of_assistant", "temporary_threads_of_assistant"):
                rows = connection.execute(self._sql[name], (assistant_id, threads - len(found)))
                found += [row[0] for row in rows.fetchall()]
            removed = delete_threads(connection, self._sql, found)
            finished = threads == 0 or len(found) < threads
            if finished:
                connection.execute(self._sql["delete_assistant"], (assistant_id,))
                connection.execute(self._sql["delete_versions"], (assistant_id,))
                if renewed is not None:
                    self._ensure(connection, renewed)
            return AssistantDeletion(finished, removed)

        return await self._database.write(work)


def _conditions(request: AssistantSearchRequest | AssistantCountRequest) -> Conditions:
    where = Conditions()
    where.equal("graph_id", request.graph_id)
    if request.name is not None:
        where.like("name", request.name)
    where.containing("metadata", request.metadata)
    return where


def _assistant(row: dict[str, Any]) -> Assistant:
    return Assistant(
        assistant_id=row["assistant_id"],
        graph_id=row["graph_id"],
        config=orjson.loads(row["config"]),
        context=orjson.loads(row["context"]),
        created_at=iso_time(row["created_at"]),
        updated_at=iso_time(row["updated_at"]),
        metadata=orjson.loads(row["metadata"]),
        version=row["version"],
        name=row["name"],
        description=row["description"],
    )


def _row(assistant: Assistant) -> dict[str, Any]:
    """The columns that a client may change."""
    return {
        "assistant_id": assistant.assistant_id,
        "graph_id": assistant.graph_id,
        "name": assistant.name,
        "description": assistant.description,
        "config": orjson.dumps(assistant.config).decode(),
        "context": orjson.dumps(assistant.context).decode(),
        "metadata": orjson.dumps(assistant.metadata).decode(),
    }
