"""Assistants with all their versions, on SQLite."""

from collections.abc import Sequence
from typing import Any

from runyard.generated.models import (
    Assistant,
    AssistantCountRequest,
    AssistantSearchRequest,
    AssistantVersionsSearchRequest,
)
from runyard.runtime.errors import Conflict, Forbidden, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.storage.fetching import fetch_dict, fetch_dicts
from runyard.runtime.storage.port.assistants import AssistantChange, AssistantDeletion, DefaultAssistant
from runyard.runtime.storage.port.threads import IfExists
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.removal import remove_in_pieces
from runyard.runtime.storage.rows import assistant_columns, assistant_from_row
from runyard.runtime.storage.scoping import add_scope_of_threads, on_assistant, shows_assistant
from runyard.runtime.storage.sqlite.conditions import SqliteConditions
from runyard.runtime.storage.sqlite.connection import Connection, now
from runyard.runtime.storage.sqlite.database import Database
from runyard.runtime.storage.thread_edits import delete_threads
from runyard.runtime.storage.time_slice import TimeSlice


class SqliteAssistants:
    """Assistants as rows that repeat their latest version. The queries of searches, of `versions` and of the threads
    of an assistant are put together from what was asked for."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries

    async def ensure_system(self, assistants: Sequence[DefaultAssistant]) -> None:
        def work(connection: Connection) -> None:
            for assistant in assistants:
                self._ensure(connection, assistant)

        await self._database.write(work)

    def _ensure(self, connection: Connection, assistant: DefaultAssistant) -> None:
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

    async def get(self, scope: Scope, assistant_id: str) -> Assistant | None:
        return await self._database.read_in_scope(
            scope,
            on_assistant(scope, assistant_id, lambda connection: self._get(connection, assistant_id), reading=True),
        )

    def _get(self, connection: Connection, assistant_id: str) -> Assistant | None:
        row = fetch_dict(connection, self._sql["assistant"], (assistant_id,))
        return None if row is None else assistant_from_row(row)

    async def search(
        self, scope: Scope, request: AssistantSearchRequest, *, limit: int, offset: int
    ) -> list[Assistant]:
        where = _conditions(scope, request)
        column, order = request.sort_by or "created_at", request.sort_order or "desc"
        sql = f"select * from assistants {where} order by {column} {order}, rowid {order} limit ? offset ?"
        rows = await self._database.read_in_pool(
            lambda connection: fetch_dicts(connection, sql, (*where.parameters, limit, offset)), "search"
        )
        return [assistant_from_row(row) for row in rows]

    async def count(self, scope: Scope, request: AssistantCountRequest) -> int:
        where = _conditions(scope, request)
        sql = f"select count(*) from assistants {where}"
        found = await self._database.read_in_pool(
            lambda connection: connection.execute(sql, where.parameters).fetchone(), "search"
        )
        return int(found[0])

    async def versions(
        self, scope: Scope, assistant_id: str, request: AssistantVersionsSearchRequest
    ) -> list[Assistant] | None:
        where = SqliteConditions()
        where.equal("assistant_id", assistant_id)
        where.containing("metadata", request.metadata)
        sql = (
            f"select *, created_at as updated_at from assistant_versions {where} order by version desc limit ? offset ?"
        )

        def read(connection: Connection) -> list[Assistant] | None:
            if self._get(connection, assistant_id) is None:
                return None
            rows = fetch_dicts(connection, sql, (*where.parameters, request.limit, request.offset))
            return [assistant_from_row(row) for row in rows]

        return await self._database.snapshot(on_assistant(scope, assistant_id, read, reading=True), "search")

    # Editing

    async def create(self, scope: Scope, assistant: Assistant, if_exists: IfExists) -> Assistant:
        def work(connection: Connection) -> Assistant:
            existing = self._get(connection, assistant.assistant_id)
            if existing is not None:
                shown = shows_assistant(connection, scope, assistant.assistant_id, reading=True)
                if if_exists == "raise" or not shown:
                    raise Conflict(f"Assistant {assistant.assistant_id} already exists")
                return existing
            time = now()
            self._put(
                connection,
                scope,
                {**assistant_columns(assistant), "version": 1, "created_at": time, "updated_at": time},
            )
            created = self._get(connection, assistant.assistant_id)
            assert created is not None
            return created

        return await self._database.write(work)

    async def change(self, scope: Scope, assistant_id: str, change: AssistantChange) -> Assistant | None:
        def work(connection: Connection) -> Assistant | None:
            found = fetch_dict(connection, self._sql["assistant"], (assistant_id,))
            if found is None:
                return None
            (latest,) = connection.execute(self._sql["latest_version"], (assistant_id,)).fetchone()
            changed = {
                **assistant_columns(change(assistant_from_row(found))),
                "version": max(latest or 0, found["version"]) + 1,
            }
            self._put(connection, scope, {**changed, "created_at": found["created_at"], "updated_at": now()})
            _check_kept(connection, scope, assistant_id)
            return self._get(connection, assistant_id)

        return await self._database.write(on_assistant(scope, assistant_id, work, reading=False))

    def _put(self, connection: Connection, scope: Scope, row: dict[str, Any]) -> None:
        """Writes a new version and makes it the latest."""
        connection.execute(self._sql["put_assistant"], {**row, "creator": scope.identity})
        connection.execute(self._sql["insert_version"], {**row, "created_at": row["updated_at"]})

    async def set_latest(self, scope: Scope, assistant_id: str, version: int) -> Assistant | None:
        def work(connection: Connection) -> Assistant | None:
            if self._get(connection, assistant_id) is None:
                return None
            changed = connection.execute(
                self._sql["set_latest"], {"assistant_id": assistant_id, "version": version, "now": now()}
            )
            if not changed.rowcount:
                raise NotFound(f"Version {version} not found for assistant {assistant_id}")
            _check_kept(connection, scope, assistant_id)
            return self._get(connection, assistant_id)

        return await self._database.write(on_assistant(scope, assistant_id, work, reading=False))

    async def delete(
        self, scope: Scope, assistant_id: str, *, threads: int, renewed: DefaultAssistant | None = None
    ) -> AssistantDeletion | None:
        def work(connection: Connection) -> AssistantDeletion | None:
            if self._get(connection, assistant_id) is None:
                return None
            found = _threads_of(connection, scope.of("threads"), assistant_id, threads) if threads else []
            removed = delete_threads(connection, self._sql, found)
            finished = len(found) < threads or not threads
            if finished and renewed is None:
                crons = {"assistant_id": assistant_id}
                finished = remove_in_pieces(connection, self._sql["remove_crons_of_assistant"], crons, TimeSlice())
            if finished:
                connection.execute(self._sql["delete_assistant"], (assistant_id,))
                connection.execute(self._sql["delete_versions"], (assistant_id,))
                if renewed is not None:
                    self._ensure(connection, renewed)
            return AssistantDeletion(finished, removed)

        return await self._database.write(on_assistant(scope, assistant_id, work, reading=False))


def _threads_of(connection: Connection, scope: Scope, assistant_id: str, limit: int) -> list[str]:
    """Threads of the assistant, kept and temporary ones, that are in scope."""
    kept = SqliteConditions("key = 'assistant_id'")
    kept.equal("value", assistant_id)
    temporary = SqliteConditions("temporary")
    temporary.equal("json_extract(metadata, '$.assistant_id')", assistant_id)
    found: list[str] = []
    for table, index, where in (("thread_tags", "", kept), ("threads", "indexed by thread_temporary", temporary)):
        add_scope_of_threads(where, scope, f"{table}.thread_id")
        sql = f"select thread_id from {table} {index} {where} limit ?"
        found += [row[0] for row in connection.execute(sql, (*where.parameters, limit - len(found))).fetchall()]
    return found


def _check_kept(connection: Connection, scope: Scope, assistant_id: str) -> None:
    """Behind a change. Raises Forbidden when it has moved the assistant out of scope."""
    if not shows_assistant(connection, scope, assistant_id, reading=False):
        raise Forbidden("metadata: the assistant would be out of your reach with it; leave the keys that make it yours")


def _conditions(scope: Scope, request: AssistantSearchRequest | AssistantCountRequest) -> SqliteConditions:
    where = SqliteConditions()
    where.within(scope, "metadata", "system")
    where.equal("graph_id", request.graph_id)
    if request.name is not None:
        where.like("name", request.name)
    where.containing("metadata", request.metadata)
    return where
