"""Results of the items of batches, on every backend: the rows of ended runs, and of removed ones what is left of
them."""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.results import FailedItem, ItemResult, ItemRetry, ResultsState, RetryResult
from runyard.runtime.storage.port.runs import FinalStatus, Lane, NewRun
from runyard.runtime.storage.rows.prepared_runs import PreparedRun
from runyard.runtime.storage.rows.results import failed_from_row, result_from_row
from runyard.runtime.storage.shared.insertion import Insertion
from runyard.runtime.storage.shared.removal import remove_events
from runyard.runtime.storage.shared.scoping import on_batch, shows_batch, shows_item
from runyard.runtime.storage.sql.fetching import one
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database, Statements, lock_rows
from runyard.runtime.storage.time_slice import TimeSlice

C = TypeVar("C", bound=Statements)
Row = tuple[Any, ...]

ROWS_PER_PAGE: Final = 500
"""Results that one read answers at most: those without values have no size."""

REMOVING: Final = "removing results"
"""The lock of those who erase the results of batches, or forget some."""


class Results(ABC, Generic[C]):
    """Results stand where runs have left them until their time is over; triggers count them."""

    def __init__(self, database: Database[C], queries: Queries, insertion: Insertion[C]) -> None:
        self._database = database
        self._sql = queries
        self._insertion = insertion

    @abstractmethod
    def _rows(self, connection: C, query: str, given: Mapping[str, Any], key: int) -> Generator[Row]:
        """The rows of a query that answers some behind `after`, by the column `key`, few of them in memory at a time;
        to be closed."""

    @abstractmethod
    def _custom_id(self, value: Any) -> Any:
        """What the column of a result says, see the statements."""

    @abstractmethod
    def _prepare(self, scope: Scope, new_runs: Sequence[NewRun]) -> Callable[[C], Sequence[PreparedRun]]:
        """What makes ready in the transaction that inserts them, see `prepare_runs`."""

    async def state(self, scope: Scope, batch_id: str) -> ResultsState | None:
        def read(connection: Statements) -> ResultsState | None:
            row = connection.execute(self._sql["results_state"], (batch_id,)).fetchone()
            return None if row is None else ResultsState(row[0], bool(row[1]), bool(row[2]))

        return await self._database.read_in_scope(scope, on_batch(scope, batch_id, read))

    async def by_index(
        self, scope: Scope, batch_id: str, after: int, *, upto: int | None, statuses: Sequence[FinalStatus], size: int
    ) -> list[ItemResult]:
        return await self._page("results_by_index", 0, scope, batch_id, after, statuses, size, upto=upto)

    async def by_end(
        self, scope: Scope, batch_id: str, after: int, *, statuses: Sequence[FinalStatus], size: int
    ) -> list[ItemResult]:
        return await self._page("results_by_end", 1, scope, batch_id, after, statuses, size)

    async def _page(
        self,
        query: str,
        key: int,
        scope: Scope,
        batch_id: str,
        after: int,
        statuses: Sequence[FinalStatus],
        size: int,
        **more: int | None,
    ) -> list[ItemResult]:
        def read(connection: C) -> list[ItemResult]:
            wanted = connection.conditions.array(statuses) if statuses else None
            given = {"batch_id": batch_id, "after": after, "statuses": wanted, **more}
            results: list[ItemResult] = []
            left = size
            with closing(self._rows(connection, query, given, key)) as rows:
                for row in rows:
                    if not shows_item(connection, scope, batch_id, row[0], row[2]):
                        continue
                    results.append(result_from_row(row, self._custom_id(row[4])))
                    left -= len(results[-1].answer or b"")
                    if left <= 0 or len(results) == ROWS_PER_PAGE:
                        break
            return results

        return await self._database.lookup(on_batch(scope, batch_id, read)) or []

    async def failed(
        self, scope: Scope, batch_id: str, after: int, *, statuses: Sequence[FinalStatus], limit: int
    ) -> list[FailedItem]:
        def read(connection: C) -> list[FailedItem]:
            given = {"batch_id": batch_id, "after": after, "statuses": connection.conditions.array(statuses)}
            with closing(self._rows(connection, "failed_items", given, 0)) as rows:
                shown = (row for row in rows if shows_item(connection, scope, batch_id, row[0], row[1]))
                return [failed_from_row(row) for row in islice(shown, limit)]

        return await self._database.lookup(on_batch(scope, batch_id, read)) or []

    async def retry(self, scope: Scope, batch_id: str, retries: Sequence[ItemRetry]) -> RetryResult:
        new_runs = [retry.new_run for retry in retries]
        prepare = self._prepare(scope, new_runs)

        def work(connection: C) -> RetryResult:
            lock_rows(connection, self._sql, "lock_replaced", ([retry.run_id for retry in retries],))
            lock_rows(connection, self._sql, "lock_batch", (batch_id,))
            row = connection.execute(self._sql["results_state"], (batch_id,)).fetchone()
            if row is None or row[2] or not shows_batch(connection, scope, batch_id):
                return RetryResult(0, 0)
            (room,) = one(connection, self._sql["room_of_batch"], (batch_id,))
            counts: Counter[str] = Counter()
            size = ready = 0
            runs: list[PreparedRun] = []
            replaced_ids: list[str] = []
            for item, run in zip(retries, prepare(connection), strict=True):
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
            self._insertion.insert_runs(connection, self._sql, scope, runs)
            connection.execute_many(
                self._sql["name_replaced"],
                [
                    {"retry_of": run_id, "run_id": run.new_run.run_id}
                    for run_id, run in zip(replaced_ids, runs, strict=True)
                ],
            )
            counted = {status: counts[status] for status in ("error", "timeout", "interrupted")}
            given = {**counted, "retried": len(runs), "bytes": size, "ready": ready, "batch_id": batch_id}
            connection.execute(self._sql["count_retried"], {**given, "now": connection.now})
            return RetryResult(len(runs), ready)

        locks = [new_run.thread_id for new_run in new_runs if new_run.thread_metadata is None]
        return await self._database.write(work, locks=locks)

    def _replace(self, connection: Statements, batch_id: str, run_id: str) -> tuple[str, int] | None:
        """Takes an item from a run that has failed; its status and the bytes of its answer. None: it has none."""
        given = {"batch_id": batch_id, "run_id": run_id}
        for query in ("replace_run", "replace_removed"):
            row: tuple[str, int] | None = connection.execute(self._sql[query], given).fetchone()
            if row is not None:
                return row
        return None

    async def expire(self, older_than: float, limit: int) -> bool:
        def expired(connection: Statements, among: str | None) -> str | None:
            given = {"older_than": older_than, "among": among}
            row = connection.execute(self._sql["expired_batch"], given).fetchone()
            return None if row is None else row[0]

        def find(connection: Statements) -> tuple[str | None, str | None]:
            """What is being erased, or else what is to be."""
            erasing = connection.execute(self._sql["erasing_batch"]).fetchone()
            return (None, expired(connection, None)) if erasing is None else (erasing[0], None)

        def work(connection: Statements) -> bool:
            erasing, next_one = find(connection)
            if next_one is not None:
                lock_rows(connection, self._sql, "lock_batch", (next_one,))
                if expired(connection, next_one) is not None:
                    connection.execute(self._sql["begin_erasing"], (next_one,))
                    connection.execute(self._sql["empty_results"], (next_one,))
            elif erasing is not None and self._erase(connection, erasing, limit):
                connection.execute(self._sql["end_erasing"], (erasing,))
            return (erasing, next_one) != (None, None)

        if await self._database.read(find) == (None, None):
            return False
        return await self._database.write(work, locks=[REMOVING])

    def _erase(self, connection: Statements, batch_id: str, limit: int) -> bool:
        """Removes results of a batch that keeps them no longer, of `limit` runs at most; whether none is left. Runs
        whose thread went with them are removed, others have forgotten what they answered."""
        time_slice = TimeSlice(connection.slices)
        rows = connection.execute(self._sql["results_of_batch"], (batch_id, limit)).fetchall()
        for seq, run_id, temporary in rows:
            if temporary and not remove_events(connection, self._sql, run_id, time_slice):
                return False
            connection.execute(self._sql["forget_run" if temporary else "erase_result"], (seq,))
            if time_slice.over:
                return False
        if len(rows) == limit:
            return False
        removed = connection.execute(self._sql["erase_removed_items"], {"batch_id": batch_id, "limit": limit}).rowcount
        return removed < limit

    async def shrink(self, most: int, limit: int) -> bool:
        def excess(connection: Statements) -> int:
            return int(one(connection, self._sql["bytes_of_results"])[0]) - most

        def work(connection: Statements) -> bool:
            left, dropped, time_slice = excess(connection), Counter[str](), TimeSlice(connection.slices)
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
            for batch_id, size in sorted(dropped.items()):
                connection.execute(self._sql["count_dropped"], {"batch_id": batch_id, "bytes": size})
            return left > 0 and count > 0

        if await self._database.read(excess) <= 0:
            return False
        return await self._database.write(work, locks=[REMOVING])
