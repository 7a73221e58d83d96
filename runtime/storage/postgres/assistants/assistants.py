"""Assistants, on Postgres."""

from __future__ import annotations

from collections.abc import Callable

from runyard.generated.models import Assistant
from runyard.runtime.scope import Scope
from runyard.runtime.storage.postgres.assistants.seen_assistants import SeenAssistants
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.thread_search import THREAD_TABLES
from runyard.runtime.storage.rows.rows import assistant_from_row
from runyard.runtime.storage.shared.assistants import Assistants
from runyard.runtime.storage.sql.fetching import fetch_dict
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Statements


class PostgresAssistants(Assistants):
    """See `Assistants`."""

    def __init__(self, database: Database, queries: Queries, seen: SeenAssistants) -> None:
        super().__init__(database, queries, THREAD_TABLES)
        self._seen = seen

    async def seen(self, scope: Scope, assistant_id: str) -> Assistant | None:
        if scope.filter:
            return await self.get(scope, assistant_id)
        row = self._seen.get(assistant_id)
        if row is None:
            row = await self._database.read_in_scope(
                scope, lambda connection: fetch_dict(connection, self._sql["assistant"], (assistant_id,))
            )
            if row is None:
                return None
            self._seen.keep(row)
        return assistant_from_row(row)

    async def _write(
        self, scope: Scope, assistant_id: str, work: Callable[[Statements], Assistant | None]
    ) -> Assistant | None:
        changed = await super()._write(scope, assistant_id, work)
        self._seen.forget(assistant_id)
        return changed
