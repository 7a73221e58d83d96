"""Results of the items of batches, on SQLite: the rows of ended runs, and of removed ones what is left of them."""

import heapq
from collections import Counter
from collections.abc import Sequence
from itertools import islice

import orjson

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.results import FailedItem, ItemResult, ItemRetry, ResultsState, RetryResult
from runyard.runtime.storage.port.runs import FinalStatus, Lane
from runyard.runtime.storage.rows.prepared_runs import PreparedRun, prepare_runs
from runyard.runtime.storage.rows.results import failed_from_row, result_from_row
from runyard.runtime.storage.shared.removal import remove_events
from runyard.runtime.storage.shared.scoping import on_batch, shows_batch, shows_item
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.runs.insertion import insert_runs
from runyard.runtime.storage.sqlite.runs.queue_clock import QueueClock
from runyard.runtime.storage.time_slice import TimeSlice

ROWS_PER_PAGE = 500
"""Results that one read answers at most: those without values have no size."""


class SqliteResults:
    """Results stand where runs have left them until their time is over; triggers count them."""

    def __init__(self, database: Database, queries: Queries, clock: QueueClock) -> None:
        self._database = database
        self._sql = queries
        self._clock = clock

    async def state(self, scope: Scope, batch_id: str) -> ResultsState | None:
        def read(connection: Connection) -> ResultsState | None:
            row = connection.execute(self._sql["results_state"], (batch_id,)).fetchone()
            return None if row is None else ResultsState(row[0], bool(row[1]), bool(row[2]))

        return await self._database.read_in_scope(scope, on_batch(scope, batch_id, read))

    async def by_index(
        self, scope: Scope, batch_id: str, after: int, *, upto: int | None, statuses: Sequence[FinalStatus], size: int
    ) -> list[ItemResult]:
        return await self._page("results_by_index", scope, batch_id, after, statuses, size, upto=upto)

    async def by_end(
        self, scope: Scope, batch_id: str, after: int, *, statuses: Sequence[FinalStatus], size: int
    ) -> list[ItemResult]:
        return await self._page("results_by_end", scope, batch_id, after, statuses, size)

    async def _page(
        self,
        query: str,
        scope: Scope,
        batch_id: str,
        after: int,
        statuses: Sequence[FinalStatus],
        size: int,
        **more: int | None,
    ) -> list[ItemResult]:
        given = {"batch_id": batch_id, "after": after, "statuses": _array(statuses) if statuses else None, **more}

        def read(connection: Connection) -> list[ItemResult]:
            results: list[ItemResult] = []
            left = size
            rows = connection.execute(self._sql[query], given)
            while left > 0 and len(results) < ROWS_PER_PAGE and (row := rows.fetchone()) is not None:
                if not shows_item(connection, scope, batch_id, row[0], row[2]):
                    continue
                results.append(result_from_row(row, orjson.loads(row[4])[0]))
                left -= len(results[-1].answer or b"")
            rows.close()
            return results

        return await self._database.snapshot(on_batch(scope, batch_id, read), "lookup") or []

    async def failed(
        self, scope: Scope, batch_id: str, after: int, *, statuses: Sequence[FinalStatus], limit: int
    ) -> list[FailedItem]:
        given = {"batch_id": batch_id, "after": after, "statuses": _array(statuses)}

        def read(connection: Connection) -> list[FailedItem]:
            rows = connection.execute(self._sql["failed_items"], given)
            shown = (row for row in rows if shows_item(connection, scope, batch_id, row[0], row[1]))
            return [failed_from_row(row) for row in islice(shown, limit)]

        return await self._database.snapshot(on_batch(scope, batch_id, read), "lookup") or []

    async def retry(self, scope: Scope, batch_id: str, retries: Sequence[ItemRetry]) -> RetryResult:
        prepared = prepare_runs(scope, [retry.new_run for retry in retries], self._clock.now(), now())

        def work(connection: Connection) -> RetryResult:
            row = connection.execute(self._sql["results_state"], (batch_id,)).fetchone()
            if row is None or row[2] or not shows_batch(connection, scope, batch_id):
                return RetryResult(0, 0)
            (room,) = connection.execute(self._sql["room_of_batch"], (batch_id,)).fetchone()
            counts: Counter[str] = Counter()
            size = ready = 0
            runs: list[PreparedRun] = []
            replaced_ids: list[str] = []
            for item, run in zip(retries, prepared, strict=True):
                replaced = self._replace(connection, batch_id, item.run_id)
                if replaced is None:
                    continue
                counts[replaced[0]] += 1
                size += replaced[1]
                held = run.row["queue"] == "ready" and room is not None and ready >= room
                ready += run.row["queue"] == "ready" and not held
                lane = int(Lane.HELD if held else Lane.BATCH)
                run.row.update(batch_id=batch_id, batch_index=item.index, lane=lane)
                runs.append(run)
                replaced_ids.append(item.run_id)
            insert_runs(connection, self._sql, scope, runs)
            for run_id, run in zip(replaced_ids, runs, strict=True):
                connection.execute(self._sql["name_replaced"], {"retry_of": run_id, "run_id": run.new_run.run_id})
            counted = {status: counts[status] for status in ("error", "timeout", "interrupted")}
            given = {**counted, "retried": len(runs), "bytes": size, "ready": ready, "now": now(), "batch_id": batch_id}
            connection.execute(self._sql["count_retried"], given)
            return RetryResult(len(runs), ready)

        return await self._database.write(work)

    def _replace(self, connection: Connection, batch_id: str, run_id: str) -> tuple[str, int] | None:
        """Takes an item from a run that has failed; its status and the bytes of its answer. None: it has none."""
        given = {"batch_id": batch_id, "run_id": run_id}
        for query in ("replace_run", "replace_removed"):
            row: tuple[str, int] | None = connection.execute(self._sql[query], given).fetchone()
            if row is not None:
                return row
        return None

    async def expire(self, older_than: float, limit: int) -> bool:
        expired = {"now": now(), "older_than": older_than}

        def find(connection: Connection) -> tuple[str | None, str | None]:
            """What is being erased, or else what is to be."""
            erasing = connection.execute(self._sql["erasing_batch"]).fetchone()
            next_one = connection.execute(self._sql["expired_batch"], expired).fetchone() if erasing is None else None
            return erasing and erasing[0], next_one and next_one[0]

        def work(connection: Connection) -> bool:
            erasing, next_one = find(connection)
            if next_one is not None:
                connection.execute(self._sql["begin_erasing"], (next_one,))
                connection.execute(self._sql["empty_results"], (next_one,))
            elif erasing is not None and erase_results(connection, self._sql, erasing, limit):
                connection.execute(self._sql["end_erasing"], (erasing,))
            return (erasing, next_one) != (None, None)

        return await self._database.write(work) if self._database.read_here(find) != (None, None) else False

    async def shrink(self, most: int, limit: int) -> bool:
        def excess(connection: Connection) -> int:
            return int(connection.execute(self._sql["bytes_of_results"]).fetchone()[0]) - most

        def work(connection: Connection) -> bool:
            left, dropped, time_slice = excess(connection), Counter[str](), TimeSlice()
            found = [
                [(*row, query) for row in connection.execute(self._sql[query], (limit,)).fetchall()]
                for query in ("oldest_answers", "oldest_removed_answers")
            ]
            count = 0
            for _, size, batch_id, key, query in heapq.merge(*found):
                if left <= 0 or time_slice.over or count == limit:
                    break
                if query == "oldest_answers":
                    connection.execute(self._sql["forget_result"], (key,))
                else:
                    connection.execute(self._sql["drop_removed_answer"], (batch_id, key))
                dropped[batch_id] += size
                left -= size
                count += 1
            for batch_id, size in dropped.items():
                connection.execute(self._sql["count_dropped"], {"batch_id": batch_id, "bytes": size})
            return left > 0 and count > 0

        if self._database.read_here(excess) <= 0:
            return False
        return await self._database.write(work)


def erase_results(connection: Connection, sql: Queries, batch_id: str, limit: int) -> bool:
    """Removes results of a batch that keeps them no longer, of `limit` runs at most; whether none is left. Runs whose
    thread went with them are removed, others have forgotten what they answered."""
    time_slice = TimeSlice()
    rows = connection.execute(sql["results_of_batch"], (batch_id, limit)).fetchall()
    for seq, run_id, temporary in rows:
        if temporary and not remove_events(connection, sql, run_id, time_slice):
            return False
        connection.execute(sql["forget_run" if temporary else "erase_result"], (seq,))
        if time_slice.over:
            return False
    if len(rows) == limit:
        return False
    removed = connection.execute(sql["erase_removed_items"], {"batch_id": batch_id, "limit": limit}).rowcount
    return removed < limit


def _array(values: Sequence[str]) -> str:
    return orjson.dumps([*values]).decode()
