"""Batches, on Postgres. Triggers keep their counts, in the transactions that change their runs.

Whoever changes several items at once has the locks of their threads, and locks their rows before the first change: that
locks the counts of the batch.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from runyard.generated.models import Batch, BatchStatus, Run
from runyard.runtime.lifecycle import batch_timed_out
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.batches import BatchState, LateItems, StoppedItems
from runyard.runtime.storage.port.runs import CancelResult, RunStatus
from runyard.runtime.storage.postgres.conditions import PostgresConditions
from runyard.runtime.storage.postgres.database.connection import SLICES, Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.runs.cancellation import cancel_runs, end_unfinished
from runyard.runtime.storage.rows.batches import condition_of, read_batch
from runyard.runtime.storage.rows.deliveries import complete_deliveries
from runyard.runtime.storage.rows.rows import run_from_row
from runyard.runtime.storage.shared.removal import remove_events, remove_in_pieces
from runyard.runtime.storage.shared.scoping import METADATA_OF_RUN, on_batch
from runyard.runtime.storage.sql.fetching import fetch_dict, fetch_dicts, one
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.time_slice import PIECE, TimeSlice


class _Deadline(NamedTuple):
    """What may be late, and the statements that find such a batch, find its items, and say that nothing is left."""

    kind: str
    find: str
    items: str
    settle: str


DEADLINES: Final = (
    _Deadline("start", "late_to_start", "unbegun_items", "start_is_settled"),
    _Deadline("finish", "late_to_finish", "unended_items", "finish_is_settled"),
)


class _Late(NamedTuple):
    """A batch that is late, and some of the items that are."""

    deadline: _Deadline
    batch_id: str
    seconds: float
    items: list[dict[str, Any]]


class PostgresBatches:
    """Batches as rows, with their counts aside.

    The queries of searches are put together from what was asked for.
    """

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries

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
            return None if row is None else BatchState(row[:-2], row[-2], row[-1])

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
        where = PostgresConditions()
        where.within(scope, "batches.metadata")
        if statuses:
            where.add(" or ".join(f"({condition_of(status)})" for status in statuses).join("()"))
        if name is not None:
            where.like("name", name)
        where.containing("batches.metadata", metadata)
        sql = (
            f"select *, clock_micros() as now from batches join batch_counts using (batch_id) {where} "
            "order by batches.batch_id desc limit %s offset %s"
        )

        def read(connection: Connection) -> list[Batch]:
            rows = fetch_dicts(connection, sql, (*where.parameters, limit, offset))
            return [read_batch(connection, self._sql, row) for row in rows]

        return await self._database.snapshot(read, "search")

    async def runs(
        self, scope: Scope, batch_id: str, *, statuses: Sequence[RunStatus] | None, limit: int, offset: int
    ) -> list[Run] | None:
        where = PostgresConditions()
        where.equal("batch_id", batch_id)
        where.among("status", None if not statuses else [*statuses])
        where.within(scope, METADATA_OF_RUN)
        where.add("batch_index is not null")  # else it was replaced by another
        sql = f"select * from runs {where} order by batch_index limit %s offset %s"

        def read(connection: Connection) -> list[Run] | None:
            if connection.execute(self._sql["batch_state"], (batch_id,)).fetchone() is None:
                return None
            return [run_from_row(row) for row in fetch_dicts(connection, sql, (*where.parameters, limit, offset))]

        return await self._database.snapshot(on_batch(scope, batch_id, read), "search")

    # Ending

    async def request_cancel(self, scope: Scope, batch_id: str) -> Batch | None:
        def work(connection: Connection) -> Batch | None:
            connection.execute(self._sql["cancel_batch"], {"batch_id": batch_id, "now": connection.now})
            return self._get(connection, batch_id)

        return await self._database.write(on_batch(scope, batch_id, work))

    async def stop_some(self, batch_id: str, after: int, limit: int) -> StoppedItems:
        given = {"batch_id": batch_id, "after": after, "limit": limit}
        # Those that would get the place of whatever is stopped go first.
        held = await self._items("held_items", given)
        if held:
            return StoppedItems(await self._stop(held), after)
        found = await self._items("unstopped_items", given)
        return StoppedItems(await self._stop(found), found[-1][2] if len(found) == limit else None)

    async def _items(self, query: str, given: Mapping[str, Any]) -> list[tuple[int, str, int]]:
        return await self._database.read(lambda connection: connection.execute(self._sql[query], given).fetchall())

    async def _stop(self, found: Sequence[tuple[int, str, int]]) -> CancelResult:
        def work(connection: Connection) -> CancelResult:
            result = CancelResult()
            seqs = [seq for seq, _, _ in found]
            cancel_runs(connection, self._sql, seqs, "interrupt", connection.now, result)
            return result

        locks = [thread_id for _, thread_id, _ in found]
        return await self._database.write(work, locks=locks) if found else CancelResult()

    async def cancelled(self, limit: int) -> list[str]:
        rows = await self._database.read(
            lambda connection: connection.execute(self._sql["cancelled_batches"], (limit,)).fetchall()
        )
        return [batch_id for (batch_id,) in rows]

    async def next_late(self) -> float | None:
        due, time = await self._database.read(lambda connection: one(connection, self._sql["next_late_batch"]))
        return None if due is None else max(0.0, (due - time) / 1e6)

    async def end_late(self, limit: int) -> LateItems:
        found = await self._database.read(lambda connection: self._find_late(connection, limit))
        if found is None:
            return LateItems()
        deadline, batch_id, seconds, items = found
        answer = batch_timed_out(deadline.kind, seconds)
        given = {"batch_id": batch_id, "limit": limit}
        among = [item["seq"] for item in items]

        def work(connection: Connection) -> LateItems:
            late, time_slice = LateItems(more=True), TimeSlice(SLICES)
            connection.execute(self._sql["lock_runs"], (among,))
            for item in fetch_dicts(connection, self._sql[deadline.items], {**given, "among": among}):
                end_unfinished(connection, self._sql, item, "timeout", answer, late.ended, begun=item["attempt"] > 0)
                if time_slice.over:
                    return late
            if connection.execute(self._sql[deadline.items], {**given, "among": None, "limit": 1}).fetchone() is None:
                connection.execute(self._sql[deadline.settle], (batch_id,))
            return late

        return await self._database.write(work, locks=[item["thread_id"] for item in items])

    def _find_late(self, connection: Connection, limit: int) -> _Late | None:
        for deadline in DEADLINES:
            row = connection.execute(self._sql[deadline.find]).fetchone()
            if row is not None:
                given = {"batch_id": row[0], "among": None, "limit": limit}
                return _Late(deadline, row[0], row[1], fetch_dicts(connection, self._sql[deadline.items], given))
        return None

    # Removing

    async def delete(self, scope: Scope, batch_id: str) -> bool | None:
        def work(connection: Connection) -> bool | None:
            if connection.execute(self._sql["batch_state"], (batch_id,)).fetchone() is None:
                return None
            return self._delete(connection, batch_id)

        return await self._database.write(on_batch(scope, batch_id, work))

    def _delete(self, connection: Connection, batch_id: str) -> bool:
        connection.execute(self._sql["lock_batch"], (batch_id,))
        complete_deliveries(connection, self._sql, batch_id)
        if not connection.execute(self._sql["delete_batch"], (batch_id,)).rowcount:
            return False
        connection.execute(self._sql["delete_batch_counts"], (batch_id,))
        connection.execute(self._sql["delete_batch_durations"], (batch_id,))
        connection.execute(self._sql["note_discarded_batch"], (batch_id,))
        return True

    async def forget(self, older_than: float, limit: int) -> int:
        age = int(older_than * 1e6)

        def read(connection: Connection) -> list[tuple[str]]:
            return connection.execute(self._sql["old_batches"], (age, limit)).fetchall()

        def work(connection: Connection) -> int:
            return sum(self._delete(connection, batch_id) for (batch_id,) in read(connection))

        return await self._database.write(work) if await self._database.read(read) else 0

    async def remove_leftovers(self) -> bool:
        def work(connection: Connection) -> bool:
            time_slice = TimeSlice(SLICES)
            while (found := connection.execute(self._sql["next_discarded_batch"]).fetchone()) is not None:
                if not self._remove_rest(connection, found[0], time_slice):
                    return True
                connection.execute(self._sql["forget_discarded_batch"], found)
            return False

        found = await self._database.read(
            lambda connection: connection.execute(self._sql["any_discarded_batch"]).fetchone()
        )
        return False if found is None else await self._database.write(work)

    def _remove_rest(self, connection: Connection, batch_id: str, time_slice: TimeSlice) -> bool:
        """Whether nothing is left. Temporary runs are no more than what they answered; others stay on their threads."""
        if not remove_in_pieces(connection, self._sql["erase_removed_items"], {"batch_id": batch_id}, time_slice):
            return False
        while rows := connection.execute(self._sql["runs_of_discarded_batch"], (batch_id, PIECE)).fetchall():
            for seq, run_id, temporary in rows:
                if temporary and not remove_events(connection, self._sql, run_id, time_slice):
                    return False
                connection.execute(self._sql["forget_run" if temporary else "leave_batch"], (seq,))
                if time_slice.over:
                    return False
        return True
