"""Crons, on Postgres."""

from collections.abc import Sequence

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import CancelResult, InsertResult, NewRun
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.runs.insertion import insert_runs, make_room
from runyard.runtime.storage.rows.prepared_runs import PreparedRun
from runyard.runtime.storage.shared.crons import Crons
from runyard.runtime.storage.sql.queries import Queries


class PostgresCrons(Crons[Connection]):
    """See `Crons`."""

    insertion_order = "seq"

    def __init__(self, database: Database, queries: Queries) -> None:
        super().__init__(database, queries)
        self._own_database = database

    async def _make_room(self, scope: Scope, new_run: NewRun) -> list[CancelResult]:
        return await make_room(self._own_database, self._sql, scope, new_run)

    def _insert(self, connection: Connection, scope: Scope, prepared: Sequence[PreparedRun]) -> InsertResult:
        return insert_runs(connection, self._sql, scope, prepared)

    def _queue_time(self, connection: Connection) -> int:
        return connection.now
