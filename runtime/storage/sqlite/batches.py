"""Batches, on SQLite. Triggers keep their counts, in the transactions that change their runs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from runyard.generated.models import Batch, BatchStatus, Run
from runyard.runtime.lifecycle import batch_timed_out
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.batches import BatchState, LateItems, StoppedItems
from runyard.runtime.storage.port.runs import CancelResult, RunStatus
from runyard.runtime.storage.rows.batches import condition_of, read_batch
from runyard.runtime.storage.rows.deliveries import complete_deliveries
from runyard.runtime.storage.rows.rows import run_from_row
from runyard.runtime.storage.shared.removal import remove_events
from runyard.runtime.storage.shared.scoping import METADATA_OF_RUN, on_batch
from runyard.runtime.storage.sql.fetching import fetch_dict, fetch_dicts
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.conditions import SqliteConditions
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.runs.cancellation import cancel_run, end_unfinished
from runyard.runtime.storage.sqlite.runs.queue_clock import QueueClock
from runyard.runtime.storage.time_slice import TimeSlice

LATE: Final = (
    ("start", "late_to_start", "unbegun_items", "start_is_settled"),
    ("finish", "late_to_finish", "unended_items", "finish_is_settled"),
)
"""What may be late, and the statements that find such a batch, find its items, and say that nothing is left."""

PIECE: Final = 200
"""Runs of a deleted batch between two looks at the clock."""


class SqliteBatches:
    """Batches as rows, with their counts aside.

    The queries of searches are put together from what was asked for.
    """

    def __init__(self, database: Database, queries: Queries, clock: QueueClock) -> None:
        self._database = database
        self._sql = queries
        self._clock = clock

    async def get(self, scope: Scope, batch_id: str) -> Batch | None:
        return await self._database.snapshot(
            on_batch(scope, batch_id, lambda connection: self._get(connection, batch_id))
        )

    def _get(self, connection: Connection, batch_id: str) -> Batch | None:
        row = fetch_dict(connection, self._sql["batch"], (batch_id,))
        return None if row is None else read_batch(connection, self._sql, row)

    async def state(self, scope: Scope, batch_id: str) -> BatchState | None:
        def read(connection: Connection) -> BatchState | None:
            row = connection.execute(self._sql["batch_state"], (batch_id,)).fetchone()
            return None if row is None else BatchState(row[:-2], bool(row[-2]), bool(row[-1]))

        return await self._database.read_in_scope(scope, on_batch(scope, batch_id, read))

    async def search(
        self,
        scope: Scope,
        *,
        statuses: Sequence[BatchStatus] | None,
        name: str | None,
        metadata: Mapping[str, Any] | None,
        limit: int,
        offset: int,
    ) -> list[Batch]:
        where = SqliteConditions()
        where.within(scope, "batches.metadata")
        if statuses:
            where.add(" or ".join(["false", *(f"({condition_of(status)})" for status in statuses)]).join("()"))
        if name is not None:
            where.like("name", name)
        where.containing("batches.metadata", None if metadata is None else dict(metadata))
        sql = (
            f"select *, clock_micros() as now from batches join batch_counts using (batch_id) {where} "
            "order by batches.batch_id desc limit ? offset ?"
        )

        def read(connection: Connection) -> list[Batch]:
            rows = fetch_dicts(connection, sql, (*where.parameters, limit, offset))
            return [read_batch(connection, self._sql, row) for row in rows]

        return await self._database.search(read)

    async def runs(
        self, scope: Scope, batch_id: str, *, statuses: Sequence[RunStatus] | None, limit: int, offset: int
    ) -> list[Run] | None:
        where = SqliteConditions()
        where.equal("batch_id", batch_id)
        where.among("status", None if not statuses else [*statuses])
        where.within(scope, METADATA_OF_RUN)
        where.add("batch_index is not null")  # else it was replaced by another
        sql = f"select * from runs indexed by run_batch {where} order by batch_index limit ? offset ?"

        def read(connection: Connection) -> list[Run] | None:
            if connection.execute(self._sql["batch_state"], (batch_id,)).fetchone() is None:
                return None
            return [run_from_row(row) for row in fetch_dicts(connection, sql, (*where.parameters, limit, offset))]

        return await self._database.snapshot(on_batch(scope, batch_id, read), "search")

    # Ending

    async def request_cancel(self, scope: Scope, batch_id: str) -> Batch | None:
        def work(connection: Connection) -> Batch | None:
            connection.execute(self._sql["cancel_batch"], {"batch_id": batch_id, "now": now()})
            return self._get(connection, batch_id)

        return await self._database.write(on_batch(scope, batch_id, work))

    async def stop_some(self, batch_id: str, after: int, limit: int) -> StoppedItems:
        def work(connection: Connection) -> StoppedItems:
            result, time, time_slice = CancelResult(), now(), TimeSlice()
            # Those that would get the place of whatever is stopped go first.
            for seq, run_id in connection.execute(self._sql["held_items"], (batch_id, limit)).fetchall():
                cancel_run(connection, self._sql, seq, run_id, "interrupt", time, result)
                if time_slice.over:
                    break
            if result.ended:
                return StoppedItems(result, after)
            given = {"batch_id": batch_id, "after": after, "limit": limit}
            rows = connection.execute(self._sql["unstopped_items"], given).fetchall()
            for count, (seq, run_id, index) in enumerate(rows, 1):
                cancel_run(connection, self._sql, seq, run_id, "interrupt", time, result)
                if time_slice.over or count == limit:
                    return StoppedItems(result, index)
            return StoppedItems(result, None)

        return await self._database.write(work)

    async def cancelled(self, limit: int) -> list[str]:
        rows = self._database.read_here(
            lambda connection: connection.execute(self._sql["cancelled_batches"], (limit,)).fetchall()
        )
        return [batch_id for (batch_id,) in rows]

    async def next_late(self) -> float | None:
        (due,) = self._database.read_here(
            lambda connection: connection.execute(self._sql["next_late_batch"]).fetchone()
        )
        return None if due is None else max(0.0, (due - self._clock.now()) / 1e6)

    async def end_late(self, limit: int) -> LateItems:
        def work(connection: Connection) -> LateItems:
            late, time_slice = LateItems(), TimeSlice()
            for kind, find, items, settle in LATE:
                while not late.more and (row := connection.execute(self._sql[find], (self._clock.now(),)).fetchone()):
                    batch_id, seconds = row
                    answer = batch_timed_out(kind, seconds)
                    rows = fetch_dicts(connection, self._sql[items], (batch_id, limit))
                    for item in rows:
                        end_unfinished(
                            connection, self._sql, item, "timeout", answer, late.ended, begun=item["attempt"] > 0
                        )
                        if time_slice.over:
                            late.more = True
                            return late
                    if len(rows) < limit:
                        connection.execute(self._sql[settle], (batch_id,))
                    else:
                        late.more = True
            return late

        return await self._database.write(work)

    # Removing

    async def delete(self, scope: Scope, batch_id: str) -> bool | None:
        def work(connection: Connection) -> bool | None:
            if connection.execute(self._sql["batch_state"], (batch_id,)).fetchone() is None:
                return None
            return self._delete(connection, batch_id)

        return await self._database.write(on_batch(scope, batch_id, work))

    def _delete(self, connection: Connection, batch_id: str) -> bool:
        complete_deliveries(connection, self._sql, batch_id)
        if not connection.execute(self._sql["delete_batch"], (batch_id,)).rowcount:
            return False
        connection.execute(self._sql["delete_batch_counts"], (batch_id,))
        connection.execute(self._sql["delete_batch_durations"], (batch_id,))
        connection.execute(self._sql["note_discarded_batch"], (batch_id,))
        return True

    async def forget(self, older_than: float, limit: int) -> int:
        before = now() - int(older_than * 1e6)

        def read(connection: Connection) -> list[tuple[str]]:
            return connection.execute(self._sql["old_batches"], (before, limit)).fetchall()

        def work(connection: Connection) -> int:
            return sum(self._delete(connection, batch_id) for (batch_id,) in read(connection))

        return await self._database.write(work) if self._database.read_here(read) else 0

    async def remove_leftovers(self) -> bool:
        def read(connection: Connection) -> tuple[str] | None:
            row: tuple[str] | None = connection.execute(self._sql["next_discarded_batch"]).fetchone()
            return row

        def work(connection: Connection) -> bool:
            time_slice = TimeSlice()
            while (found := read(connection)) is not None:
                if not self._remove_rest(connection, found[0], time_slice):
                    return True
                connection.execute(self._sql["forget_discarded_batch"], found)
            return False

        return await self._database.write(work) if self._database.read_here(read) else False

    def _remove_rest(self, connection: Connection, batch_id: str, time_slice: TimeSlice) -> bool:
        """Whether nothing is left. Temporary runs are no more than what they answered; others stay on their threads."""
        removed = {"batch_id": batch_id, "limit": PIECE}
        while connection.execute(self._sql["erase_removed_items"], removed).rowcount == PIECE:
            if time_slice.over:
                return False
        while rows := connection.execute(self._sql["runs_of_discarded_batch"], (batch_id, PIECE)).fetchall():
            for seq, run_id, temporary in rows:
                if temporary and not remove_events(connection, self._sql, run_id, time_slice):
                    return False
                connection.execute(self._sql["forget_run" if temporary else "leave_batch"], (seq,))
            if time_slice.over:
                return False
        return True
