"""Batches, on every backend. Triggers keep their counts, in the transactions that change their runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeVar

from runyard.generated.models import Batch, BatchStatus, Run
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.batches import BatchState, LateItems, StoppedItems
from runyard.runtime.storage.port.runs import RunStatus
from runyard.runtime.storage.rows.batches import condition_of, read_batch
from runyard.runtime.storage.rows.deliveries import complete_deliveries
from runyard.runtime.storage.rows.rows import run_from_row
from runyard.runtime.storage.shared.queue_time import Clock, seconds_until
from runyard.runtime.storage.shared.removal import remove_events, remove_in_pieces
from runyard.runtime.storage.shared.scoping import METADATA_OF_RUN, on_batch
from runyard.runtime.storage.sql.fetching import fetch_dict, fetch_dicts
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database, Statements, lock_rows
from runyard.runtime.storage.time_slice import PIECE, TimeSlice

C = TypeVar("C", bound=Statements)


class Deadline(NamedTuple):
    """What may be late, and the statements that find such a batch, find its items, and say that nothing is left."""

    kind: str
    find: str
    items: str
    settle: str


DEADLINES: Final = (
    Deadline("start", "late_to_start", "unbegun_items", "start_is_settled"),
    Deadline("finish", "late_to_finish", "unended_items", "finish_is_settled"),
)


class Batches(ABC, Generic[C]):
    """Batches as rows, with their counts aside.

    The queries of searches are put together from what was asked for.
    """

    items: ClassVar[str]
    """The table of runs, to be looked at for those of a batch."""

    def __init__(self, database: Database[C], queries: Queries, clock: Clock[C]) -> None:
        self._database = database
        self._sql = queries
        self._clock = clock

    async def get(self, scope: Scope, batch_id: str) -> Batch | None:
        return await self._database.snapshot(
            on_batch(scope, batch_id, lambda connection: self._get(connection, batch_id))
        )

    def _get(self, connection: Statements, batch_id: str) -> Batch | None:
        row = fetch_dict(connection, self._sql["batch"], (batch_id,))
        return None if row is None else read_batch(connection, self._sql, row)

    async def state(self, scope: Scope, batch_id: str) -> BatchState | None:
        def read(connection: Statements) -> BatchState | None:
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
        def read(connection: Statements) -> list[Batch]:
            where = connection.conditions()
            where.within(scope, "batches.metadata")
            if statuses:
                where.add(" or ".join(f"({condition_of(status)})" for status in statuses).join("()"))
            if name is not None:
                where.like("name", name)
            where.containing("batches.metadata", metadata)
            tables = "batches join batch_counts using (batch_id)"
            page = where.page(limit, offset)
            sql = f"select *, clock_micros() as now from {tables} {where} order by batches.batch_id desc {page}"
            rows = fetch_dicts(connection, sql, where.parameters)
            return [read_batch(connection, self._sql, row) for row in rows]

        return await self._database.search(read)

    async def runs(
        self, scope: Scope, batch_id: str, *, statuses: Sequence[RunStatus] | None, limit: int, offset: int
    ) -> list[Run] | None:
        def read(connection: Statements) -> list[Run] | None:
            if connection.execute(self._sql["batch_state"], (batch_id,)).fetchone() is None:
                return None
            where = connection.conditions()
            where.equal("batch_id", batch_id)
            where.among("status", statuses or None)
            where.within(scope, METADATA_OF_RUN)
            where.add("batch_index is not null")  # else it was replaced by another
            sql = f"select * from {self.items} {where} order by batch_index {where.page(limit, offset)}"
            return [run_from_row(row) for row in fetch_dicts(connection, sql, where.parameters)]

        return await self._database.search(on_batch(scope, batch_id, read))

    # Ending

    async def request_cancel(self, scope: Scope, batch_id: str) -> Batch | None:
        def work(connection: Statements) -> Batch | None:
            connection.execute(self._sql["cancel_batch"], {"batch_id": batch_id, "now": connection.now})
            return self._get(connection, batch_id)

        return await self._database.write(on_batch(scope, batch_id, work))

    @abstractmethod
    async def stop_some(self, batch_id: str, after: int, limit: int) -> StoppedItems:
        """See the port."""

    async def cancelled(self, limit: int) -> list[str]:
        rows = await self._database.read(
            lambda connection: connection.execute(self._sql["cancelled_batches"], (limit,)).fetchall()
        )
        return [batch_id for (batch_id,) in rows]

    async def next_late(self) -> float | None:
        return await self._database.read(
            lambda connection: seconds_until(connection, self._sql, "next_late_batch", self._clock)
        )

    @abstractmethod
    async def end_late(self, limit: int) -> LateItems:
        """See the port."""

    # Removing

    async def delete(self, scope: Scope, batch_id: str) -> bool | None:
        def work(connection: Statements) -> bool | None:
            if connection.execute(self._sql["batch_state"], (batch_id,)).fetchone() is None:
                return None
            return self._delete(connection, batch_id)

        return await self._database.write(on_batch(scope, batch_id, work))

    def _delete(self, connection: Statements, batch_id: str) -> bool:
        lock_rows(connection, self._sql, "lock_batch", (batch_id,))
        complete_deliveries(connection, self._sql, batch_id)
        if not connection.execute(self._sql["delete_batch"], (batch_id,)).rowcount:
            return False
        connection.execute(self._sql["delete_batch_counts"], (batch_id,))
        connection.execute(self._sql["delete_batch_durations"], (batch_id,))
        connection.execute(self._sql["note_discarded_batch"], (batch_id,))
        return True

    async def forget(self, older_than: float, limit: int) -> int:
        age = int(older_than * 1e6)

        def read(connection: Statements) -> list[tuple[str]]:
            return connection.execute(self._sql["old_batches"], (age, limit)).fetchall()

        def work(connection: Statements) -> int:
            return sum(self._delete(connection, batch_id) for (batch_id,) in read(connection))

        return await self._database.write(work) if await self._database.read(read) else 0

    async def remove_leftovers(self) -> bool:
        def work(connection: Statements) -> bool:
            time_slice = TimeSlice(connection.slices)
            while (found := connection.execute(self._sql["next_discarded_batch"]).fetchone()) is not None:
                if not self._remove_rest(connection, found[0], time_slice):
                    return True
                connection.execute(self._sql["forget_discarded_batch"], found)
            return False

        found = await self._database.read(
            lambda connection: connection.execute(self._sql["any_discarded_batch"]).fetchone()
        )
        return False if found is None else await self._database.write(work)

    def _remove_rest(self, connection: Statements, batch_id: str, time_slice: TimeSlice) -> bool:
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
