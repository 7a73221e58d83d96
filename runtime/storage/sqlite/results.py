"""Results of the items of batches, on SQLite."""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import orjson

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.rows.prepared_runs import PreparedRun, prepare_runs
from runyard.runtime.storage.shared.results import Results, Row
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.runs.insertion import INSERTION
from runyard.runtime.storage.sqlite.runs.queue_clock import QueueClock


class SqliteResults(Results[Connection]):
    """See `Results`."""

    def __init__(self, database: Database[Connection], queries: Queries, clock: QueueClock) -> None:
        super().__init__(database, queries, INSERTION)
        self._clock = clock

    def _rows(self, connection: Connection, query: str, given: Mapping[str, Any], key: int) -> Generator[Row]:
        rows = connection.execute(self._sql[query], given)
        try:
            yield from rows
        finally:
            rows.close()

    def _custom_id(self, value: Any) -> Any:
        return orjson.loads(value)[0]

    def _prepare(self, scope: Scope, new_runs: Sequence[NewRun]) -> Callable[[Connection], Sequence[PreparedRun]]:
        prepared = prepare_runs(scope, new_runs, self._clock.now(), now())  # nobody waits for that
        return lambda connection: prepared
