"""Workers, and the runs of dead ones, on every backend."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from runyard.runtime.errors import LeaseLost
from runyard.runtime.lifecycle import EXHAUSTED
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.runs import CancelAction, CancelResult, Lane
from runyard.runtime.storage.port.workers import EndedRun, EndedRuns, HeartbeatResult, KnownWorker, ReapResult
from runyard.runtime.storage.shared.queue_time import Clock
from runyard.runtime.storage.shared.run_ends import RunEnds
from runyard.runtime.storage.sql.fetching import fetch_dicts
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database, Statements, lock_rows
from runyard.runtime.storage.time_slice import TimeSlice

C = TypeVar("C", bound=Statements)
Row = Mapping[str, Any]

CLAIM_GRACE = 5_000_000
"""Microseconds after a claim from which on its answer has reached the worker or never will."""

NOTHING_REAPED: Final = ReapResult(0, [], 0, 0, webhook=False)


class Workers(ABC, Generic[C]):
    """Workers as rows that their heartbeats renew. What else says that one lives is the backend's own."""

    def __init__(self, database: Database[C], queries: Queries, ends: RunEnds[C], clock: Clock[C]) -> None:
        self._database = database
        self._sql = queries
        self._ends = ends
        self._clock = clock

    @abstractmethod
    def _take_back(self, connection: C, worker: str, *, unless_alive: bool) -> list[dict[str, Any]] | None:
        """The runs of a worker, which nobody else changes from here to the end of the transaction; None: it lives."""

    @abstractmethod
    def _find(
        self, connection: C, query: str, age: int, limit: int, run_ids: Sequence[str] | None, among: list[int] | None
    ) -> list[dict[str, Any]]:
        """Runs that something was asked of, or that began, more than so many microseconds ago; see the statements.
        `among`: none but these, where others may have changed them since they were found."""

    def _release_calls(self, connection: C, worker: str) -> bool:
        """Makes due what a server with that name had claimed to call; whether there was anything."""
        return False

    # Living

    async def _beat(self, worker: str, held: Sequence[Lease], *, claiming: bool) -> HeartbeatResult:
        def work(connection: C) -> HeartbeatResult:
            time = connection.now
            connection.execute(self._sql["heartbeat"], {"worker": worker, "pid": os.getpid(), "now": time})
            claims = {lease.seq: (lease.attempt, lease.token) for lease in held}
            owned: dict[int, tuple[int, int]] = {}
            cancels: dict[int, CancelAction] = {}
            unheld: list[Lease] = []
            for row in fetch_dicts(connection, self._sql["runs_of_worker"], (worker,)):
                owned[row["seq"]] = row["attempt"], row["token"]
                if claims.get(row["seq"]) == owned[row["seq"]]:
                    if row["cancel"] is not None:
                        cancels[row["seq"]] = row["cancel"]
                elif claiming:
                    continue
                elif row["claimed_at"] is None or row["claimed_at"] < self._clock(connection) - CLAIM_GRACE:
                    unheld.append(_lease(worker, row))
            connection.lock(*(lease.thread_id for lease in unheld))
            for lease in unheld:
                with contextlib.suppress(LeaseLost):  # somebody has seen to it meanwhile
                    self._ends.release_run(connection, self._sql, lease, (), time)
            return HeartbeatResult(cancels, [seq for seq, claim in claims.items() if owned.get(seq) != claim])

        return await self._database.write(work)

    async def known(self) -> list[KnownWorker]:
        def read(connection: Statements) -> list[KnownWorker]:
            known = connection.execute(self._sql["known_workers"]).fetchall()
            unknown = connection.execute(self._sql["unknown_workers"]).fetchall()
            return [KnownWorker(*row) for row in known] + [KnownWorker(worker, 0) for (worker,) in unknown]

        return await self._database.read(read)

    async def probe(self) -> None:
        # A real change: a transaction without one succeeds on a full disk.
        await self._database.write(lambda connection: connection.execute(self._sql["probe"]).rowcount)

    # Taking runs back

    async def reap(
        self, worker: str, *, max_attempts: int, crashed: bool = True, groups: int = 0, unless_alive: bool = False
    ) -> ReapResult:
        def work(connection: C) -> ReapResult:
            requeued = solo = 0
            result = EndedRuns()
            owned = self._take_back(connection, worker, unless_alive=unless_alive)
            if owned is None:
                return NOTHING_REAPED
            left = [
                row
                for row in owned
                if not self._end_if_due(connection, row, EXHAUSTED, max_attempts if crashed else None, result)
            ]
            size = -(-len(left) // groups) if groups else 0
            for index, row in enumerate(left):
                if not crashed:
                    self._ends.release_run(connection, self._sql, _lease(worker, row), (), connection.now)
                    lane = row["lane"]
                # The last attempt is made alone, so that a run pays only for crashes of its own.
                elif row["crashes"] + 2 >= max_attempts or size == 1:
                    lane = self._requeue_crashed(connection, worker, row["seq"], Lane.SOLO)
                elif size:
                    group = f"{worker} {index // size}"
                    lane = self._requeue_crashed(connection, worker, row["seq"], Lane.SOLO, group)
                else:
                    lane = self._requeue_crashed(connection, worker, row["seq"], row["lane"], row["suspects"])
                solo += lane == Lane.SOLO
                requeued += lane != Lane.SOLO
            connection.execute(self._sql["forget_worker"], (worker,))
            calls = self._release_calls(connection, worker)
            ended = [run.run_id for run in result.ended]
            return ReapResult(requeued, ended, solo, result.promoted, result.webhook or calls)

        return await self._database.write(work)

    async def fail_attempt(self, lease: Lease, answer: bytes, *, max_attempts: int) -> ReapResult:
        def work(connection: C) -> ReapResult:
            self._ends.requested_cancel(connection, self._sql, lease)  # the lease holds
            owned = fetch_dicts(connection, self._sql["runs_of_worker"], (lease.worker,))
            row = next(row for row in owned if row["seq"] == lease.seq)
            result = EndedRuns()
            if self._end_if_due(connection, row, answer, max_attempts, result):
                return ReapResult(0, [lease.run_id], 0, result.promoted, result.webhook)
            self._requeue_crashed(connection, lease.worker, lease.seq, row["lane"], row["suspects"])
            return ReapResult(1, [], 0, 0, webhook=False)

        return await self._database.write(work, locks=[lease.thread_id])

    def _end_if_due(self, connection: C, row: Row, answer: bytes, attempts: int | None, result: EndedRuns) -> bool:
        """Ends a run that was taken back if it was cancelled, or, with `answer`, if it has no attempt of so many left;
        False: it is to be tried again. `attempts` None: this one does not count."""
        if row["cancel"] is not None:
            self._end_cancelled(connection, row, result)
        elif attempts is not None and row["crashes"] + 1 >= attempts:
            self._ends.end_unfinished(connection, self._sql, row, "error", answer, result)
        else:
            return False
        return True

    def _requeue_crashed(
        self, connection: Statements, worker: str, seq: int, lane: int, suspects: str | None = None
    ) -> int:
        given = {"seq": seq, "worker": worker, "lane": lane, "suspects": suspects, "now": connection.now}
        connection.execute(self._sql["requeue_crashed"], given)
        return lane

    def _end_cancelled(self, connection: C, row: Row, result: EndedRuns) -> None:
        """Ends a run that was asked to stop, in its worker's place; what follows is noted in `result`."""
        run_id, thread_id, effect = row["run_id"], row["thread_id"], CancelResult()
        self._ends.end_cancelled(
            connection, self._sql, row["seq"], run_id, thread_id, row["cancel"], connection.now, effect
        )
        result.promoted += effect.promoted
        result.webhook = result.webhook or effect.webhook
        result.ended.append(EndedRun(run_id, thread_id, "interrupted"))

    # Ending what goes on for too long

    async def end_overdue(self, seconds: float, answer: bytes, limit: int) -> EndedRuns:
        def end(connection: C, row: Row, result: EndedRuns) -> None:
            if row["cancel"] is None:
                self._ends.end_unfinished(connection, self._sql, row, "timeout", answer, result)
            else:
                self._end_cancelled(connection, row, result)

        return await self._end_all("overdue_runs", seconds, limit, None, end)

    async def end_unstopped(self, seconds: float, limit: int, run_ids: Sequence[str] | None = None) -> EndedRuns:
        return await self._end_all("unstopped_runs", seconds, limit, run_ids, self._end_cancelled)

    async def _end_all(
        self,
        query: str,
        seconds: float,
        limit: int,
        run_ids: Sequence[str] | None,
        end: Callable[[C, Row, EndedRuns], None],
    ) -> EndedRuns:
        """Ends what a query finds, for a slice of time; nothing is written, and nobody kept from work, where it finds
        nothing."""
        age = int(seconds * 1e6)
        found = await self._database.read(lambda connection: self._find(connection, query, age, limit, run_ids, None))
        if not found:
            return EndedRuns()
        among = [row["seq"] for row in found]

        def work(connection: C) -> EndedRuns:
            result, time_slice = EndedRuns(), TimeSlice(connection.slices)
            lock_rows(connection, self._sql, "lock_runs", (among,))
            for row in self._find(connection, query, age, limit, run_ids, among):
                end(connection, row, result)
                if time_slice.over:
                    break
            return result

        return await self._database.write(work, locks=[row["thread_id"] for row in found])


def _lease(worker: str, row: Row) -> Lease:
    return Lease(row["seq"], worker, row["attempt"], row["token"], row["run_id"], row["thread_id"])
