"""Results of the items of batches, on Postgres."""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Final

import orjson

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.runs.insertion import INSERTION
from runyard.runtime.storage.rows.prepared_runs import PreparedRun, prepare_runs
from runyard.runtime.storage.shared.results import ROWS_PER_PAGE, Results, Row
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database

FIRST_FETCH: Final = 20
"""Rows that are fetched at first: each may have megabytes."""


class PostgresResults(Results[Connection]):
    """See `Results`."""

    def __init__(self, database: Database[Connection], queries: Queries) -> None:
        super().__init__(database, queries, INSERTION)

    def _rows(self, connection: Connection, query: str, given: Mapping[str, Any], key: int) -> Generator[Row]:
        # Whoever asks for more than there were so far has found them small, and gets more at once.
        after, most = given["after"], FIRST_FETCH
        while True:
            rows = connection.execute(self._sql[query], {**given, "after": after, "most": most}).fetchall()
            yield from rows
            if len(rows) < most:
                return
            after, most = rows[-1][key], min(2 * most, ROWS_PER_PAGE)

    def _custom_id(self, value: Any) -> Any:
        return None if value is None else orjson.loads(value)

    def _prepare(self, scope: Scope, new_runs: Sequence[NewRun]) -> Callable[[Connection], Sequence[PreparedRun]]:
        return lambda connection: prepare_runs(scope, new_runs, connection.now, connection.now)
