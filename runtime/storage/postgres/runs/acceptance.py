"""How runs with threads of their own are accepted, on Postgres: those that are asked for at once, in one statement."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import psycopg

from runyard.runtime.errors import AssistantChanged, RunyardError
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import CancelResult, InsertResult, Lane, NewRun
from runyard.runtime.storage.postgres.database.arrays import Packed, booleans, integers, numbers, texts
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.database.errors import translated
from runyard.runtime.storage.postgres.database.groups import Groups
from runyard.runtime.storage.rows.prepared_runs import PreparedRun, prepare_runs
from runyard.runtime.storage.rows.rows import iso_time, micros
from runyard.runtime.storage.sql.queries import Queries

CHANGED = "the assistant was changed at the same time; try again"


class Acceptance:
    """Accepts single runs that bring their threads."""

    def __init__(self, database: Database, sql: Queries) -> None:
        self._database = database
        self._statement = sql["accept_runs"]
        self._groups: Groups[PreparedRun, int] = Groups(
            database, self._in_transaction, lambda run: (), at_once=self._at_once, repeatable=True, for_clients=True
        )

    async def accept(self, scope: Scope, new_run: NewRun) -> InsertResult:
        """Raises AssistantChanged."""
        (prepared,) = prepare_runs(scope, [new_run], 0, 0)
        assert prepared.created is not None
        stamp = iso_time(await self._groups.add(prepared))
        ready = prepared.row["queue"] == "ready" and prepared.row["lane"] != Lane.HELD
        run = replace(prepared.created, created_at=stamp, updated_at=stamp)
        return InsertResult([run], int(ready), CancelResult())

    def _at_once(self, runs: Sequence[PreparedRun]) -> dict[int, int]:
        made: dict[str, int] = dict(self._database.write_one_here(self._statement, _columns(runs), repeatable=True))
        return {place: made[run.row["run_id"]] for place, run in enumerate(runs) if run.row["run_id"] in made}

    def _in_transaction(self, connection: Connection, runs: Sequence[PreparedRun]) -> list[int | RunyardError]:
        """Those whose assistants had changed."""
        made: dict[str, int] = dict(connection.execute(self._statement, _columns(runs)).fetchall())
        return [made.get(run.row["run_id"]) or AssistantChanged(CHANGED) for run in runs]


def _columns(runs: Sequence[PreparedRun]) -> list[Packed]:
    """The parameters of `accept_runs`. Raises Invalid."""
    rows = [_row(run) for run in runs]
    try:
        return [pack(row[name] for row in rows) for name, pack in _COLUMNS.items()]
    except psycopg.DataError as error:
        raise translated(error) or error from None


def _row(run: PreparedRun) -> dict[str, Any]:
    assert run.thread is not None
    seen_at = None if run.new_run.seen_at is None else micros(run.new_run.seen_at)
    return {**run.thread, **run.row, "thread_metadata": run.thread["metadata"], "seen_at": seen_at}


_COLUMNS: dict[str, Callable[[Iterable[Any]], Packed]] = {
    "run_id": texts,
    "thread_id": texts,
    "assistant_id": texts,
    "graph_id": texts,
    "queue": texts,
    "lane": integers,
    "due": integers,
    "strategy": texts,
    "temporary": booleans,
    "resumable": booleans,
    "protocol": booleans,
    "watching": integers,
    "webhook": texts,
    "metadata": texts,
    "kwargs": texts,
    "creator": texts,
    "creator_details": texts,
    "thread_metadata": texts,
    "ttl_strategy": texts,
    "ttl_minutes": numbers,
    "seen_at": integers,
}
