"""Batches, on Postgres.

Whoever changes several items at once has the locks of their threads, and locks their rows before the first change: that
locks the counts of the batch.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from runyard.runtime.lifecycle import batch_timed_out
from runyard.runtime.storage.port.batches import LateItems, StoppedItems
from runyard.runtime.storage.port.runs import CancelResult
from runyard.runtime.storage.postgres.database.connection import SLICES, Connection
from runyard.runtime.storage.postgres.runs.cancellation import cancel_runs, end_unfinished
from runyard.runtime.storage.shared.batches import DEADLINES, Batches, Deadline
from runyard.runtime.storage.sql.fetching import fetch_dicts
from runyard.runtime.storage.time_slice import TimeSlice


class _Late(NamedTuple):
    """A batch that is late, and some of the items that are."""

    deadline: Deadline
    batch_id: str
    seconds: float
    items: list[dict[str, Any]]


class PostgresBatches(Batches[Connection]):
    """See `Batches`."""

    items = "runs"

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
