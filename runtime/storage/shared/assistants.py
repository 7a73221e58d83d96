"""Assistants with all their versions, on every backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runyard.generated.models import (
    Assistant,
    AssistantCountRequest,
    AssistantSearchRequest,
    AssistantVersionsSearchRequest,
)
from runyard.runtime.errors import Conflict, Forbidden, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.assistants import AssistantChange, AssistantDeletion, DefaultAssistant
from runyard.runtime.storage.port.threads import IfExists
from runyard.runtime.storage.rows.rows import assistant_columns, assistant_from_row
from runyard.runtime.storage.shared.removal import remove_in_pieces
from runyard.runtime.storage.shared.scoping import add_scope_of_threads, on_assistant, shows_assistant
from runyard.runtime.storage.shared.thread_edits import delete_threads
from runyard.runtime.storage.shared.thread_search import ThreadTables
from runyard.runtime.storage.sql.conditions import Conditions
from runyard.runtime.storage.sql.fetching import fetch_dict, fetch_dicts, one
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database, Statements
from runyard.runtime.storage.time_slice import TimeSlice


class Assistants:
    """Assistants as rows that repeat their latest version. Whoever changes one holds its lock. The queries of searches,
    of `versions` and of the threads of an assistant are put together from what was asked for."""

    def __init__(self, database: Database[Statements], queries: Queries, tables: ThreadTables) -> None:
        self._database = database
        self._sql = queries
        self._tables = tables

    async def ensure_system(self, assistants: Sequence[DefaultAssistant]) -> None:
        def work(connection: Statements) -> None:
            for assistant in assistants:
                self._ensure(connection, assistant)

        await self._database.write(work, locks=[_lock(assistant.assistant_id) for assistant in assistants])

    def _ensure(self, connection: Statements, assistant: DefaultAssistant) -> None:
        now = connection.now
        new = {
            "assistant_id": assistant.assistant_id,
            "graph_id": assistant.graph_id,
            "name": assistant.name,
            "description": assistant.description,
            "config": "{}",
            "context": "{}",
            "metadata": '{"created_by":"system"}',
            "version": 1,
            "created_at": now,
            "updated_at": now,
        }
        if connection.execute(self._sql["ensure_assistant"], new).rowcount:
            connection.execute(self._sql["insert_version"], new)

    async def get(self, scope: Scope, assistant_id: str) -> Assistant | None:
        return await self._database.read_in_scope(
            scope,
            on_assistant(scope, assistant_id, lambda connection: self._get(connection, assistant_id), reading=True),
        )

    async def seen(self, scope: Scope, assistant_id: str) -> Assistant | None:
        return await self.get(scope, assistant_id)

    def _get(self, connection: Statements, assistant_id: str) -> Assistant | None:
        row = fetch_dict(connection, self._sql["assistant"], (assistant_id,))
        return None if row is None else assistant_from_row(row)

    async def search(
        self, scope: Scope, request: AssistantSearchRequest, *, limit: int, offset: int
    ) -> list[Assistant]:
        column, order = request.sort_by or "created_at", request.sort_order or "desc"

        def read(connection: Statements) -> list[Assistant]:
            where = _conditions(connection, scope, request)
            by = f"order by {column} {order}, {connection.insertion_order} {order}"
            sql = f"select * from assistants {where} {by} {where.page(limit, offset)}"
            return [assistant_from_row(row) for row in fetch_dicts(connection, sql, where.parameters)]

        return await self._database.search(read)

    async def count(self, scope: Scope, request: AssistantCountRequest) -> int:
        def read(connection: Statements) -> int:
            where = _conditions(connection, scope, request)
            return int(one(connection, f"select count(*) from assistants {where}", where.parameters)[0])

        return await self._database.search(read)

    async def versions(
        self, scope: Scope, assistant_id: str, request: AssistantVersionsSearchRequest
    ) -> list[Assistant] | None:
        def read(connection: Statements) -> list[Assistant] | None:
            if self._get(connection, assistant_id) is None:
                return None
            where = connection.conditions()
            where.equal("assistant_id", assistant_id)
            where.containing("metadata", request.metadata)
            page = where.page(request.limit, request.offset)
            sql = f"select *, created_at as updated_at from assistant_versions {where} order by version desc {page}"
            return [assistant_from_row(row) for row in fetch_dicts(connection, sql, where.parameters)]

        return await self._database.search(on_assistant(scope, assistant_id, read, reading=True))

    # Editing

    async def create(self, scope: Scope, assistant: Assistant, if_exists: IfExists) -> Assistant:
        def work(connection: Statements) -> Assistant:
            existing = self._get(connection, assistant.assistant_id)
            if existing is not None:
                shown = shows_assistant(connection, scope, assistant.assistant_id, reading=True)
                if if_exists == "raise" or not shown:
                    raise Conflict(f"Assistant {assistant.assistant_id} already exists")
                return existing
            times = dict.fromkeys(("created_at", "updated_at"), connection.now)
            self._put(connection, scope, {**assistant_columns(assistant), "version": 1, **times})
            created = self._get(connection, assistant.assistant_id)
            assert created is not None
            return created

        return await self._database.write(work, locks=[_lock(assistant.assistant_id)])

    async def change(self, scope: Scope, assistant_id: str, change: AssistantChange) -> Assistant | None:
        def work(connection: Statements) -> Assistant | None:
            found = fetch_dict(connection, self._sql["assistant"], (assistant_id,))
            if found is None:
                return None
            (latest,) = one(connection, self._sql["latest_version"], (assistant_id,))
            version = max(latest or 0, found["version"]) + 1
            changed = {**assistant_columns(change(assistant_from_row(found))), "version": version}
            self._put(connection, scope, {**changed, "created_at": found["created_at"], "updated_at": connection.now})
            _check_kept(connection, scope, assistant_id)
            return self._get(connection, assistant_id)

        return await self._write(scope, assistant_id, work)

    def _put(self, connection: Statements, scope: Scope, row: dict[str, Any]) -> None:
        """Writes a new version and makes it the latest."""
        connection.execute(self._sql["put_assistant"], {**row, "creator": scope.identity})
        connection.execute(self._sql["insert_version"], {**row, "created_at": row["updated_at"]})

    async def set_latest(self, scope: Scope, assistant_id: str, version: int) -> Assistant | None:
        def work(connection: Statements) -> Assistant | None:
            if self._get(connection, assistant_id) is None:
                return None
            changed = connection.execute(
                self._sql["set_latest"], {"assistant_id": assistant_id, "version": version, "now": connection.now}
            )
            if not changed.rowcount:
                raise NotFound(f"Version {version} not found for assistant {assistant_id}")
            _check_kept(connection, scope, assistant_id)
            return self._get(connection, assistant_id)

        return await self._write(scope, assistant_id, work)

    async def _write(
        self, scope: Scope, assistant_id: str, work: Callable[[Statements], Assistant | None]
    ) -> Assistant | None:
        return await self._database.write(
            on_assistant(scope, assistant_id, work, reading=False), locks=[_lock(assistant_id)]
        )

    async def delete(
        self, scope: Scope, assistant_id: str, *, threads: int, renewed: DefaultAssistant | None = None
    ) -> AssistantDeletion | None:
        of_threads = scope.of("threads") if threads else scope

        def read(connection: Statements) -> list[str]:
            if not threads or not shows_assistant(connection, scope, assistant_id, reading=False):
                return []
            return self._threads_of(connection, of_threads, assistant_id, threads)

        found = await self._database.snapshot(read) if threads else []

        def work(connection: Statements) -> AssistantDeletion | None:
            if self._get(connection, assistant_id) is None:
                return None
            removed = delete_threads(
                connection, self._sql, self._threads_of(connection, of_threads, assistant_id, threads, found)
            )
            finished = not (threads and self._threads_of(connection, of_threads, assistant_id, 1))
            if finished and renewed is None:
                crons = {"assistant_id": assistant_id}
                time_slice = TimeSlice(connection.slices)
                finished = remove_in_pieces(connection, self._sql["remove_crons_of_assistant"], crons, time_slice)
            if finished:
                connection.execute(self._sql["delete_assistant"], (assistant_id,))
                connection.execute(self._sql["delete_versions"], (assistant_id,))
                if renewed is not None:
                    self._ensure(connection, renewed)
            return AssistantDeletion(finished, removed)

        return await self._database.write(
            on_assistant(scope, assistant_id, work, reading=False), locks=[_lock(assistant_id), *found]
        )

    def _threads_of(
        self, connection: Statements, scope: Scope, assistant_id: str, limit: int, among: list[str] | None = None
    ) -> list[str]:
        """Threads of the assistant, kept and temporary ones, that are in scope."""
        kept = connection.conditions("key = 'assistant_id'")
        kept.equal("value", assistant_id)
        temporary = connection.conditions("temporary")
        temporary.containing("metadata", {"assistant_id": assistant_id})
        found: list[str] = []
        for tables, table, where in (
            ("thread_tags", "thread_tags", kept),
            (self._tables.temporary, "threads", temporary),
        ):
            where.among("thread_id", among)
            add_scope_of_threads(where, scope, f"{table}.thread_id")
            sql = f"select thread_id from {tables} {where} {where.page(limit - len(found))}"
            found += [thread_id for (thread_id,) in connection.execute(sql, where.parameters).fetchall()]
        return found


def _lock(assistant_id: str) -> str:
    """The lock of an assistant: not that of a thread that has the same id."""
    return f"assistant {assistant_id}"


def _check_kept(connection: Statements, scope: Scope, assistant_id: str) -> None:
    """Behind a change. Raises Forbidden when it has moved the assistant out of scope."""
    if not shows_assistant(connection, scope, assistant_id, reading=False):
        raise Forbidden("metadata: the assistant would be out of your reach with it; leave the keys that make it yours")


def _conditions(
    connection: Statements, scope: Scope, request: AssistantSearchRequest | AssistantCountRequest
) -> Conditions:
    where = connection.conditions()
    where.within(scope, "metadata", "system")
    where.equal("graph_id", request.graph_id)
    if request.name is not None:
        where.like("name", request.name)
    where.containing("metadata", request.metadata)
    return where
