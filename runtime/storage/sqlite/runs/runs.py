"""Runs as their clients see them, on SQLite."""

import asyncio
from collections.abc import Sequence

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
from runyard.runtime.storage.rows.batches import insert_batch
from runyard.runtime.storage.rows.prepared_runs import PreparedRun, prepare_runs
from runyard.runtime.storage.shared.leftovers import write_without_leftovers
from runyard.runtime.storage.shared.runs import Runs
from runyard.runtime.storage.shared.scoping import (
    shows_run,
)
from runyard.runtime.storage.shared.used_keys import keep_key
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.runs.cancellation import cancel_run, free_thread
from runyard.runtime.storage.sqlite.runs.insertion import INSERTION
from runyard.runtime.storage.sqlite.runs.queue_clock import QueueClock

PREPARED_INLINE = 200
"""Runs that are prepared where they are asked for; more would hold up the event loop for milliseconds."""


class SqliteRuns(Runs[Connection]):
    """See `Runs`."""

    def __init__(self, database: Database, queries: Queries, clock: QueueClock) -> None:
        self._clock = clock
        super().__init__(database, queries)

    async def insert(
        self,
        scope: Scope,
        new_runs: Sequence[NewRun],
        batch: NewBatch | None = None,
        key: IdempotencyKey | None = None,
    ) -> InsertResult:
        made_room = await INSERTION.make_room(self._database, self._sql, scope, new_runs)
        clock = self._clock.now()

        def prepare() -> tuple[list[PreparedRun], bytes | None]:
            prepared = prepare_runs(scope, new_runs, clock, now(), batch)
            return prepared, None if key is None else _packed_before(prepared)

        prepared, packed = prepare() if len(new_runs) <= PREPARED_INLINE else await asyncio.to_thread(prepare)

        def work(connection: Connection) -> InsertResult:
            inserted = INSERTION.insert_runs(connection, self._sql, scope, prepared)
            if batch is not None:
                insert_batch(connection, self._sql, scope, batch, len(prepared), inserted.ready, clock)
            if key is not None:
                keep_key(connection, self._sql, scope, key, packed or pack_runs(inserted.runs))
            return inserted

        inserted = await write_without_leftovers(self._database, self._sql, work, ())
        inserted.add_room(made_room)
        return inserted

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

    def _free_thread(self, connection: Connection, thread_id: str, time: int) -> int:
        return free_thread(connection, self._sql, thread_id, time)


def _packed_before(prepared: Sequence[PreparedRun]) -> bytes | None:
    """What a key keeps of runs that are known before their transaction; None: their threads have a say in them."""
    created = [each.created for each in prepared if each.created is not None]
    return pack_runs(created) if len(created) == len(prepared) else None
