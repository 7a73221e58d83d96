"""Runs as their clients see them, on SQLite."""

import asyncio
from collections.abc import Sequence
from functools import partial

from runyard.generated.models import Run
from runyard.runtime.lifecycle import UNKNOWN
from runyard.runtime.scope import Scope
from runyard.runtime.storage.batch_rows import insert_batch
from runyard.runtime.storage.fetching import fetch_dict, fetch_dicts
from runyard.runtime.storage.kept_answers import pack_runs
from runyard.runtime.storage.leftovers import write_without_leftovers
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.runs import (
    CancelAction,
    CancelResult,
    InsertResult,
    NewBatch,
    NewRun,
    RunLocation,
    RunPage,
    RunPosition,
    RunRef,
    RunResult,
    RunStatus,
)
from runyard.runtime.storage.prepared_runs import PreparedRun, prepare_runs
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.removal import remove_events
from runyard.runtime.storage.rows import run_from_row
from runyard.runtime.storage.scoping import (
    add_scope_of_threads,
    on_run,
    on_thread,
    shows_run,
)
from runyard.runtime.storage.sqlite.cancellation import cancel_run, free_thread
from runyard.runtime.storage.sqlite.conditions import SqliteConditions
from runyard.runtime.storage.sqlite.connection import Connection, now
from runyard.runtime.storage.sqlite.database import Database
from runyard.runtime.storage.sqlite.events import last_event
from runyard.runtime.storage.sqlite.insertion import insert_runs, make_room
from runyard.runtime.storage.sqlite.queue_clock import QueueClock
from runyard.runtime.storage.time_slice import TimeSlice
from runyard.runtime.storage.used_keys import keep_key

PREPARED_INLINE = 200
"""Runs that are prepared where they are asked for; more would hold up the event loop for milliseconds."""


class SqliteRuns:
    """Runs as rows of the table that is the queue too; one whose thread was deleted is no longer shown.

    The query of `cancellable` is put together from what was asked for.
    """

    def __init__(self, database: Database, queries: Queries, clock: QueueClock) -> None:
        self._clock = clock
        self._database = database
        self._sql = queries

    async def insert(
        self,
        scope: Scope,
        new_runs: Sequence[NewRun],
        batch: NewBatch | None = None,
        key: IdempotencyKey | None = None,
    ) -> InsertResult:
        made_room = await make_room(self._database, self._sql, scope, new_runs[0]) if len(new_runs) == 1 else []
        clock = self._clock.now()

        def prepare() -> tuple[list[PreparedRun], bytes | None]:
            prepared = prepare_runs(scope, new_runs, clock, now(), batch)
            return prepared, None if key is None else _packed_before(prepared)

        prepared, packed = prepare() if len(new_runs) <= PREPARED_INLINE else await asyncio.to_thread(prepare)

        def work(connection: Connection) -> InsertResult:
            inserted = insert_runs(connection, self._sql, scope, prepared)
            if batch is not None:
                insert_batch(connection, self._sql, scope, batch, len(prepared), inserted.ready, clock)
            if key is not None:
                keep_key(connection, self._sql, scope, key, packed or pack_runs(inserted.runs))
            return inserted

        inserted = await write_without_leftovers(self._database, self._sql, work, ())
        inserted.add_room(made_room)
        return inserted

    async def get(self, scope: Scope, thread_id: str, run_id: str) -> Run | None:
        parameters = {"run_id": run_id, "thread_id": thread_id}
        row = await self._database.read_in_scope(
            scope, on_run(scope, run_id, lambda connection: fetch_dict(connection, self._sql["run"], parameters))
        )
        return None if row is None else run_from_row(row)

    async def find(self, scope: Scope, run_id: str) -> Run | None:
        row = await self._database.read_in_scope(
            scope, on_run(scope, run_id, lambda connection: fetch_dict(connection, self._sql["run_by_id"], (run_id,)))
        )
        return None if row is None else run_from_row(row)

    async def of_thread(
        self, scope: Scope, thread_id: str, *, limit: int, offset: int, status: RunStatus | None
    ) -> list[Run]:
        parameters = {"thread_id": thread_id, "status": status, "limit": limit, "offset": offset}
        rows = await self._database.snapshot(
            on_thread(
                scope, thread_id, lambda connection: fetch_dicts(connection, self._sql["runs_of_thread"], parameters)
            ),
            "search",
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

    def _ended(self, connection: Connection, scope: Scope, run_ids: Sequence[str]) -> list[RunResult]:
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
        where = SqliteConditions("queue is not null")
        add_scope_of_threads(where, scope, "runs.thread_id")
        if status != "all":
            where.add("(queue = 'running') = ?", status == "running")
        where.equal("thread_id", thread_id)
        where.among("run_id", None if run_ids is None else list(run_ids))
        if after is not None:
            where.add("(thread_id, seq) > (?, ?)", after.thread_id, after.seq)
            where.add("seq <= ?", after.newest)
        sql = f"select thread_id, run_id, seq from runs {where} order by thread_id, seq limit ?"

        def read(connection: Connection) -> RunPage:
            newest = connection.execute(self._sql["newest_run"]).fetchone()[0] if after is None else after.newest
            rows = connection.execute(sql, (*where.parameters, limit)).fetchall()
            last = RunPosition(rows[-1][0], rows[-1][2], newest) if len(rows) == limit else None
            return RunPage([RunRef(*row[:2]) for row in rows], last)

        return await self._database.read_in_pool(read, "lookup")

    async def cancel(
        self, scope: Scope, runs: Sequence[RunRef], action: CancelAction, reason: str | None = None
    ) -> CancelResult:
        def work(connection: Connection) -> CancelResult:
            result = CancelResult()
            time = now()
            for thread_id, run_id in runs:
                row = connection.execute(self._sql["seq_of_run"], (run_id, thread_id)).fetchone()
                if row is not None and shows_run(connection, scope, run_id):
                    cancel_run(connection, self._sql, row[0], run_id, action, time, result, reason)
            return result

        return await self._database.write(work)

    async def delete(self, scope: Scope, thread_id: str, run_id: str) -> int | None:
        def work(connection: Connection) -> int | None:
            row = connection.execute(self._sql["delete_run"], (run_id, thread_id)).fetchone()
            if row is None:
                return None
            connection.execute(self._sql["delete_events"], (run_id,))
            if row[0]:  # what it has done so far stays
                connection.execute(self._sql["leave_unsettled"], ("interrupted", thread_id))
            promoted = free_thread(connection, self._sql, thread_id, now())
            connection.execute(self._sql["forget_numbers"], {"thread_id": thread_id})
            return promoted

        return await self._database.write(on_run(scope, run_id, work))

    async def forget_outcomes(self, older_than: float, limit: int) -> int:
        dropped, more = 0, True
        while more and dropped < limit:
            step = partial(self._forget_some, before=now() - int(older_than * 1e6), limit=limit - dropped)
            count, more = await self._database.write(step)
            dropped += count
        return dropped

    def _forget_some(self, connection: Connection, before: int, limit: int) -> tuple[int, bool]:
        """Of how many, and whether there are more that a slice of time did not suffice for."""
        old = connection.execute(self._sql["results_before"], (before, limit)).fetchall()
        time_slice = TimeSlice()
        for count, (seq, run_id, temporary) in enumerate(old):
            if temporary and not remove_events(connection, self._sql, run_id, time_slice):
                return count, True
            connection.execute(self._sql["forget_run" if temporary else "forget_result"], (seq,))
            if time_slice.over:
                return count + 1, True
        return len(old), False


def _packed_before(prepared: Sequence[PreparedRun]) -> bytes | None:
    """What a key keeps of runs that are known before their transaction; None: their threads have a say in them."""
    created = [each.created for each in prepared if each.created is not None]
    return pack_runs(created) if len(created) == len(prepared) else None
