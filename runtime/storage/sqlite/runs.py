"""Runs as their clients see them, on SQLite."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from runyard.generated.models import Run
from runyard.runtime.lifecycle import UNKNOWN
from runyard.runtime.storage.port.runs import (
    CancelAction,
    CancelResult,
    InsertResult,
    NewRun,
    RunLocation,
    RunRef,
    RunResult,
    RunStatus,
)
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.sqlite.cancellation import cancel_run, free_thread
from runyard.runtime.storage.sqlite.database import Database, now
from runyard.runtime.storage.sqlite.insertion import insert_runs
from runyard.runtime.storage.sqlite.rows import fetch_dict, fetch_dicts, run_from_row


class SqliteRuns:
    """Runs as rows of the table that is the queue too; one whose thread was deleted is no longer shown.

    The query of `cancellable` is put together from what was asked for.
    """

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries

    async def insert(self, new_runs: Sequence[NewRun]) -> InsertResult:
        return await self._database.write(lambda connection: insert_runs(connection, self._sql, new_runs))

    async def get(self, thread_id: str, run_id: str) -> Run | None:
        row = self._database.read(
            lambda connection: fetch_dict(connection, self._sql["run"], {"run_id": run_id, "thread_id": thread_id})
        )
        return None if row is None else run_from_row(row)

    async def find(self, run_id: str) -> Run | None:
        row = self._database.read(lambda connection: fetch_dict(connection, self._sql["run_by_id"], (run_id,)))
        return None if row is None else run_from_row(row)

    async def of_thread(self, thread_id: str, *, limit: int, offset: int, status: RunStatus | None) -> list[Run]:
        parameters = {"thread_id": thread_id, "status": status, "limit": limit, "offset": offset}
        rows = await self._database.read_in_pool(
            lambda connection: fetch_dicts(connection, self._sql["runs_of_thread"], parameters), "search"
        )
        return [run_from_row(row) for row in rows]

    async def locate(self, run_id: str) -> RunLocation | None:
        row = self._database.read(lambda connection: connection.execute(self._sql["locate"], (run_id,)).fetchone())
        return None if row is None else RunLocation(row[0], bool(row[1]))

    async def ended(self, run_ids: Sequence[str]) -> list[RunResult]:
        return self._database.read(lambda connection: self._ended(connection, run_ids))

    def _ended(self, connection: sqlite3.Connection, run_ids: Sequence[str]) -> list[RunResult]:
        found: list[RunResult] = []
        for run_id in run_ids:
            row = connection.execute(self._sql["result"], (run_id,)).fetchone()
            if row is None:
                found.append(RunResult(run_id, "error", UNKNOWN))
            elif row[1] is None:
                found.append(RunResult(run_id, row[0], row[2] or row[3] or b"null"))
        return found

    async def cancellable(self, *, thread_id: str | None, run_ids: Sequence[str] | None, status: str) -> list[RunRef]:
        queues = {"pending": ("ready", "waiting", "delayed"), "running": ("running",)}.get(
            status, ("ready", "waiting", "delayed", "running")
        )
        sql = "select thread_id, run_id from runs where queue in ({})".format(", ".join("?" * len(queues)))
        parameters: list[Any] = list(queues)
        if thread_id is not None:
            sql += " and thread_id = ?"
            parameters.append(thread_id)
        if run_ids is not None:
            sql += " and run_id in (select value from json_each(?))"
            parameters.append(orjson.dumps(list(run_ids)).decode())
        rows = await self._database.read_in_pool(
            lambda connection: connection.execute(sql, parameters).fetchall(), "lookup"
        )
        return [RunRef(*row) for row in rows]

    async def cancel(self, runs: Sequence[RunRef], action: CancelAction) -> CancelResult:
        def work(connection: sqlite3.Connection) -> CancelResult:
            result = CancelResult()
            time = now()
            for thread_id, run_id in runs:
                row = connection.execute(self._sql["seq_of_run"], (run_id, thread_id)).fetchone()
                if row is not None:
                    cancel_run(connection, self._sql, row[0], run_id, action, time, result)
            return result

        return await self._database.write(work)

    async def delete(self, thread_id: str, run_id: str) -> int | None:
        def work(connection: sqlite3.Connection) -> int | None:
            row = connection.execute(self._sql["delete_run"], (run_id, thread_id)).fetchone()
            if row is None:
                return None
            connection.execute(self._sql["delete_events"], (run_id,))
            return free_thread(connection, self._sql, thread_id, now())

        return await self._database.write(work)

    async def forget_outcomes(self, older_than: float, limit: int) -> int:
        def work(connection: sqlite3.Connection) -> int:
            before = now() - int(older_than * 1e6)
            old = connection.execute(self._sql["results_before"], (before, limit)).fetchall()
            for seq, run_id, temporary in old:
                connection.execute(self._sql["forget_run" if temporary else "forget_result"], (seq,))
                if temporary:
                    connection.execute(self._sql["delete_events"], (run_id,))
            return len(old)

        return await self._database.write(work)
