"""Runs as their clients see them, on Postgres."""

from collections.abc import Sequence
from functools import partial

from runyard.generated.models import Run
from runyard.runtime.errors import AssistantChanged
from runyard.runtime.lifecycle import UNKNOWN
from runyard.runtime.scope import Scope
from runyard.runtime.storage.batch_rows import insert_batch
from runyard.runtime.storage.fetching import fetch_dict, fetch_dicts, one
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
from runyard.runtime.storage.postgres.cancellation import cancel_runs, free_threads
from runyard.runtime.storage.postgres.conditions import PostgresConditions
from runyard.runtime.storage.postgres.connection import SLICES, Connection
from runyard.runtime.storage.postgres.database import Database
from runyard.runtime.storage.postgres.event_rows import last_event
from runyard.runtime.storage.postgres.insertion import insert_runs, insert_with_thread, make_room
from runyard.runtime.storage.postgres.seen_assistants import SeenAssistants
from runyard.runtime.storage.prepared_runs import prepare_runs
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.removal import remove_events
from runyard.runtime.storage.rows import run_from_row
from runyard.runtime.storage.scoping import (
    METADATA_OF_RUN,
    add_scope_of_threads,
    on_run,
    on_thread,
    shows_run,
)
from runyard.runtime.storage.time_slice import TimeSlice
from runyard.runtime.storage.used_keys import keep_key


class PostgresRuns:
    """Runs as rows of the table that is the queue too; one whose thread was deleted is no longer shown.

    The query of `cancellable` is put together from what was asked for.
    """

    def __init__(self, database: Database, queries: Queries, seen: SeenAssistants) -> None:
        self._database = database
        self._sql = queries
        self._seen = seen

    async def insert(
        self,
        scope: Scope,
        new_runs: Sequence[NewRun],
        batch: NewBatch | None = None,
        key: IdempotencyKey | None = None,
    ) -> InsertResult:
        try:
            return await self._insert(scope, new_runs, batch, key)
        except AssistantChanged:
            for new_run in new_runs:
                self._seen.forget(new_run.assistant_id)
            raise

    async def _insert(
        self, scope: Scope, new_runs: Sequence[NewRun], batch: NewBatch | None, key: IdempotencyKey | None
    ) -> InsertResult:
        if len(new_runs) == 1 and batch is None and key is None and new_runs[0].thread_metadata is not None:
            return await insert_with_thread(self._database, self._sql, scope, new_runs[0])
        made_room = await make_room(self._database, self._sql, scope, new_runs[0]) if len(new_runs) == 1 else []

        def work(connection: Connection) -> InsertResult:
            prepared = prepare_runs(scope, new_runs, connection.now, connection.now, batch)
            inserted = insert_runs(connection, self._sql, scope, prepared)
            if batch is not None:
                insert_batch(connection, self._sql, scope, batch, len(prepared), inserted.ready, connection.now)
            if key is not None:
                keep_key(connection, self._sql, scope, key, pack_runs(inserted.runs))
            return inserted

        locks = [new_run.thread_id for new_run in new_runs if new_run.thread_metadata is None]
        inserted = await write_without_leftovers(self._database, self._sql, work, locks)
        inserted.add_room(made_room)
        return inserted

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
        where = PostgresConditions("queue is not null")
        add_scope_of_threads(where, scope, "runs.thread_id")
        if status != "all":
            where.add("(queue = 'running') = %s", status == "running")
        where.equal("thread_id", thread_id)
        where.among("run_id", None if run_ids is None else list(run_ids))
        if after is not None:
            where.add("(thread_id, seq) > (%s, %s)", after.thread_id, after.seq)
            where.add("seq <= %s", after.newest)
        sql = f"select thread_id, run_id, seq from runs {where} order by thread_id, seq limit %s"

        def read(connection: Connection) -> RunPage:
            newest = one(connection, self._sql["newest_run"])[0] if after is None else after.newest
            rows = connection.execute(sql, (*where.parameters, limit)).fetchall()
            last = RunPosition(rows[-1][0], rows[-1][2], newest) if len(rows) == limit else None
            return RunPage([RunRef(*row[:2]) for row in rows], last)

        return await self._database.snapshot(read)

    async def cancel(
        self, scope: Scope, runs: Sequence[RunRef], action: CancelAction, reason: str | None = None
    ) -> CancelResult:
        where = PostgresConditions()
        where.within(scope, METADATA_OF_RUN)
        wanted = "join unnest(%s::text[], %s::text[]) as wanted (thread_id, run_id) using (thread_id, run_id)"
        parameters = [[run.thread_id for run in runs], [run.run_id for run in runs], *where.parameters]
        sql = f"select seq from runs {wanted} {where} order by seq"

        def work(connection: Connection) -> CancelResult:
            result = CancelResult()
            seqs = [seq for (seq,) in connection.execute(sql, parameters)]
            cancel_runs(connection, self._sql, seqs, action, connection.now, result, reason)
            return result

        return await self._database.write(work, locks=[run.thread_id for run in runs])

    async def delete(self, scope: Scope, thread_id: str, run_id: str) -> int | None:
        def work(connection: Connection) -> int | None:
            row = connection.execute(self._sql["delete_run"], (run_id, thread_id)).fetchone()
            if row is None:
                return None
            connection.execute(self._sql["delete_events"], (run_id,))
            if row[0]:  # what it has done so far stays
                connection.execute(self._sql["leave_unsettled"], ("interrupted", thread_id))
            promoted = free_threads(connection, self._sql, [thread_id], connection.now)
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

    def _forget_some(self, connection: Connection, age: int, limit: int) -> tuple[int, bool]:
        """Of how many, and whether there are more that a slice of time did not suffice for."""
        old = connection.execute(self._sql["results_before"], (connection.now - age, limit)).fetchall()
        time_slice = TimeSlice(SLICES)
        for count, (seq, run_id, temporary) in enumerate(old):
            if temporary and not remove_events(connection, self._sql, run_id, time_slice):
                return count, True
            connection.execute(self._sql["forget_run" if temporary else "forget_result"], (seq,))
            if time_slice.over:
                return count + 1, True
        return len(old), False
