"""Runs as their clients see them, on every backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Generic, TypeVar

from runyard.generated.models import Run
from runyard.runtime.lifecycle import UNKNOWN
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import RunLocation, RunPage, RunPosition, RunRef, RunResult, RunStatus
from runyard.runtime.storage.rows.events import last_event
from runyard.runtime.storage.rows.rows import run_from_row
from runyard.runtime.storage.shared.removal import remove_events
from runyard.runtime.storage.shared.scoping import add_scope_of_threads, on_run, on_thread, shows_run
from runyard.runtime.storage.sql.fetching import fetch_dict, fetch_dicts, one
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database, Statements
from runyard.runtime.storage.time_slice import TimeSlice

C = TypeVar("C", bound=Statements)


class Runs(ABC, Generic[C]):
    """Runs as rows of the table that is the queue too; one whose thread was deleted is no longer shown.

    The query of `cancellable` is put together from what was asked for.
    """

    def __init__(self, database: Database[C], queries: Queries) -> None:
        self._database = database
        self._sql = queries

    @abstractmethod
    def _free_thread(self, connection: C, thread_id: str, time: int) -> int:
        """What follows when a run has left its thread, see `RunEnds`."""

    async def get(self, scope: Scope, thread_id: str, run_id: str) -> Run | None:
        parameters = {"run_id": run_id, "thread_id": thread_id}
        row = await self._database.read_in_scope(
            scope,
            on_run(scope, run_id, lambda connection: fetch_dict(connection, self._sql["run"], parameters)),
        )
        return None if row is None else run_from_row(row)

    async def find(self, scope: Scope, run_id: str) -> Run | None:
        row = await self._database.read_in_scope(
            scope,
            on_run(scope, run_id, lambda connection: fetch_dict(connection, self._sql["run_by_id"], (run_id,))),
        )
        return None if row is None else run_from_row(row)

    async def of_thread(
        self, scope: Scope, thread_id: str, *, limit: int, offset: int, status: RunStatus | None
    ) -> list[Run]:
        parameters = {"thread_id": thread_id, "status": status, "limit": limit, "offset": offset}
        rows = await self._database.search(
            on_thread(
                scope, thread_id, lambda connection: fetch_dicts(connection, self._sql["runs_of_thread"], parameters)
            ),
        )
        return [run_from_row(row) for row in rows or ()]

    async def locate(self, scope: Scope, run_id: str) -> RunLocation | None:
        row = await self._database.read_in_scope(
            scope,
            on_run(scope, run_id, lambda connection: connection.execute(self._sql["locate"], (run_id,)).fetchone()),
        )
        return None if row is None else RunLocation(row[0], bool(row[1]), bool(row[2]))

    async def ended(self, scope: Scope, run_ids: Sequence[str]) -> list[RunResult]:
        return await self._database.read_in_scope(scope, lambda connection: self._ended(connection, scope, run_ids))

    def _ended(self, connection: Statements, scope: Scope, run_ids: Sequence[str]) -> list[RunResult]:
        found: list[RunResult] = []
        for run_id in run_ids:
            row = connection.execute(self._sql["result"], (run_id,)).fetchone()
            if row is None or not shows_run(connection, scope, run_id):
                found.append(RunResult(run_id, "error", UNKNOWN))
                continue
            status, queue, answer, state, attempt, resumable = row
            if queue is None:
                last = last_event(connection, self._sql, run_id) if resumable else 0
                found.append(RunResult(run_id, status, answer or state or b"null", last, attempt > 0))
        return found

    async def cancellable(
        self,
        scope: Scope,
        *,
        thread_id: str | None,
        run_ids: Sequence[str] | None,
        status: str,
        limit: int,
        after: RunPosition | None = None,
    ) -> RunPage:
        def read(connection: Statements) -> RunPage:
            where = connection.conditions("queue is not null")
            add_scope_of_threads(where, scope, "runs.thread_id")
            if status != "all":
                where.add(f"(queue = 'running') = {where.mark}", status == "running")
            where.equal("thread_id", thread_id)
            where.among("run_id", run_ids)
            if after is not None:
                where.add(f"(thread_id, seq) > ({where.mark}, {where.mark})", after.thread_id, after.seq)
                where.add(f"seq <= {where.mark}", after.newest)
            newest = one(connection, self._sql["newest_run"])[0] if after is None else after.newest
            sql = f"select thread_id, run_id, seq from runs {where} order by thread_id, seq {where.page(limit)}"
            rows = connection.execute(sql, where.parameters).fetchall()
            last = RunPosition(rows[-1][0], rows[-1][2], newest) if len(rows) == limit else None
            return RunPage([RunRef(*row[:2]) for row in rows], last)

        return await self._database.lookup(read)

    async def delete(self, scope: Scope, thread_id: str, run_id: str) -> int | None:
        def work(connection: C) -> int | None:
            row = connection.execute(self._sql["delete_run"], (run_id, thread_id)).fetchone()
            if row is None:
                return None
            connection.execute(self._sql["delete_events"], (run_id,))
            if row[0]:  # what it has done so far stays
                connection.execute(self._sql["leave_unsettled"], ("interrupted", thread_id))
            promoted = self._free_thread(connection, thread_id, connection.now)
            connection.execute(self._sql["forget_numbers"], {"thread_id": thread_id})
            return promoted

        return await self._database.write(on_run(scope, run_id, work), locks=[thread_id])

    async def forget_outcomes(self, older_than: float, limit: int) -> int:
        dropped, more = 0, True
        while more and dropped < limit:
            step = partial(self._forget_some, age=int(older_than * 1e6), limit=limit - dropped)
            count, more = await self._database.write(step)
            dropped += count
        return dropped

    def _forget_some(self, connection: Statements, age: int, limit: int) -> tuple[int, bool]:
        """Of how many, and whether there are more that a slice of time did not suffice for."""
        old = connection.execute(self._sql["results_before"], (connection.now - age, limit)).fetchall()
        time_slice = TimeSlice(connection.slices)
        for count, (seq, run_id, temporary) in enumerate(old):
            if temporary and not remove_events(connection, self._sql, run_id, time_slice):
                return count, True
            connection.execute(self._sql["forget_run" if temporary else "forget_result"], (seq,))
            if time_slice.over:
                return count + 1, True
        return len(old), False
