"""Batches, on SQLite."""

from runyard.runtime.lifecycle import batch_timed_out
from runyard.runtime.storage.port.batches import LateItems, StoppedItems
from runyard.runtime.storage.port.runs import CancelResult
from runyard.runtime.storage.shared.batches import DEADLINES, Batches
from runyard.runtime.storage.sql.fetching import fetch_dicts
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.runs.cancellation import cancel_run, end_unfinished
from runyard.runtime.storage.time_slice import TimeSlice


class SqliteBatches(Batches[Connection]):
    """See `Batches`."""

    items = "runs indexed by run_batch"

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

    async def end_late(self, limit: int) -> LateItems:
        def work(connection: Connection) -> LateItems:
            late, time_slice = LateItems(), TimeSlice()
            for kind, find, items, settle in DEADLINES:
                while not late.more and (
                    row := connection.execute(self._sql[find], (self._clock(connection),)).fetchone()
                ):
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
