"""Runs as their clients see them, on Postgres."""

from collections.abc import Sequence

from runyard.runtime.errors import AssistantChanged
from runyard.runtime.scope import Scope
from runyard.runtime.storage.kept_answers import pack_runs
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.runs import (
    CancelAction,
    CancelResult,
    InsertResult,
    NewBatch,
    NewRun,
    RunRef,
)
from runyard.runtime.storage.postgres.assistants.seen_assistants import SeenAssistants
from runyard.runtime.storage.postgres.conditions import PostgresConditions
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.runs.acceptance import Acceptance
from runyard.runtime.storage.postgres.runs.cancellation import cancel_runs, free_threads
from runyard.runtime.storage.postgres.runs.insertion import INSERTION
from runyard.runtime.storage.rows.batches import insert_batch
from runyard.runtime.storage.rows.prepared_runs import prepare_runs
from runyard.runtime.storage.shared.leftovers import write_without_leftovers
from runyard.runtime.storage.shared.runs import Runs
from runyard.runtime.storage.shared.scoping import (
    METADATA_OF_RUN,
)
from runyard.runtime.storage.shared.used_keys import keep_key
from runyard.runtime.storage.sql.queries import Queries


class PostgresRuns(Runs[Connection]):
    """See `Runs`."""

    def __init__(self, database: Database, queries: Queries, seen: SeenAssistants) -> None:
        super().__init__(database, queries)
        self._seen = seen
        self._acceptance = Acceptance(database, queries)

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
            return await self._acceptance.accept(scope, new_runs[0])
        made_room = await INSERTION.make_room(self._database, self._sql, scope, new_runs)

        def work(connection: Connection) -> InsertResult:
            prepared = prepare_runs(scope, new_runs, connection.now, connection.now, batch)
            inserted = INSERTION.insert_runs(connection, self._sql, scope, prepared)
            if batch is not None:
                insert_batch(connection, self._sql, scope, batch, len(prepared), inserted.ready, connection.now)
            if key is not None:
                keep_key(connection, self._sql, scope, key, pack_runs(inserted.runs))
            return inserted

        locks = [new_run.thread_id for new_run in new_runs if new_run.thread_metadata is None]
        inserted = await write_without_leftovers(self._database, self._sql, work, locks)
        inserted.add_room(made_room)
        return inserted

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

    def _free_thread(self, connection: Connection, thread_id: str, time: int) -> int:
        return free_threads(connection, self._sql, [thread_id], time)
