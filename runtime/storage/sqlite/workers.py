"""Workers, and the runs of dead ones, on SQLite."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from runyard.runtime.lifecycle import CANCELLED, EXHAUSTED
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.runs import CancelAction, Lane
from runyard.runtime.storage.port.workers import HeartbeatResult, OverdueResult, OverdueRun, ReapResult, StaleWorker
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.sqlite.cancellation import free_thread, roll_back_run
from runyard.runtime.storage.sqlite.database import Database, now
from runyard.runtime.storage.sqlite.deliveries import add_delivery
from runyard.runtime.storage.sqlite.leases import requested_cancel
from runyard.runtime.storage.sqlite.rows import fetch_dicts
from runyard.runtime.storage.sqlite.time_slice import TimeSlice

CLAIM_GRACE = 5_000_000
"""Microseconds after a claim from which on its answer has reached the worker or never will."""


class SqliteWorkers:
    """Workers as rows that their heartbeats renew."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries

    async def heartbeat(self, worker: str, pid: int, held: Sequence[Lease] | None) -> HeartbeatResult:
        def work(connection: sqlite3.Connection) -> HeartbeatResult:
            time = now()
            connection.execute(self._sql["heartbeat"], {"worker": worker, "pid": pid, "now": time})
            if held is None:
                return HeartbeatResult({}, [])
            attempts = {lease.seq: lease.attempt for lease in held}
            owned: dict[int, int] = {}
            cancels: dict[int, CancelAction] = {}
            for row in fetch_dicts(connection, self._sql["runs_of_worker"], (worker,)):
                owned[row["seq"]] = row["attempt"]
                if attempts.get(row["seq"]) == row["attempt"]:
                    if row["cancel"] is not None:
                        cancels[row["seq"]] = row["cancel"]
                elif row["started_at"] < time - CLAIM_GRACE:
                    given = {"seq": row["seq"], "worker": worker, "attempt": row["attempt"], "now": time}
                    connection.execute(self._sql["release"], given)
            return HeartbeatResult(cancels, [seq for seq, attempt in attempts.items() if owned.get(seq) != attempt])

        return await self._database.write(work)

    async def reap(self, worker: str, *, max_attempts: int, crashed: bool = True) -> ReapResult:
        def work(connection: sqlite3.Connection) -> ReapResult:
            requeued = solo = promoted = 0
            ended: list[str] = []
            for row in fetch_dicts(connection, self._sql["runs_of_worker"], (worker,)):
                freed = self._end_if_due(connection, worker, row, EXHAUSTED, max_attempts if crashed else None)
                if freed is not None:
                    promoted += freed
                    ended.append(row["run_id"])
                    continue
                # The last attempt is made alone, so that a run pays only for crashes of its own.
                alone = row["lane"] == Lane.SOLO or (crashed and row["crashes"] + 2 >= max_attempts)
                solo += alone
                requeued += not alone
                if crashed:
                    self._requeue_crashed(connection, worker, row["seq"], Lane.SOLO if alone else row["lane"])
                else:
                    given = {"seq": row["seq"], "worker": worker, "attempt": row["attempt"], "now": now()}
                    connection.execute(self._sql["release"], given)
            connection.execute(self._sql["forget_worker"], (worker,))
            return ReapResult(requeued, ended, solo, promoted)

        return await self._database.write(work)

    async def fail_attempt(self, lease: Lease, answer: bytes, *, max_attempts: int) -> ReapResult:
        def work(connection: sqlite3.Connection) -> ReapResult:
            requested_cancel(connection, self._sql, lease)  # the lease holds
            owned = fetch_dicts(connection, self._sql["runs_of_worker"], (lease.worker,))
            row = next(row for row in owned if row["seq"] == lease.seq)
            freed = self._end_if_due(connection, lease.worker, row, answer, max_attempts)
            if freed is not None:
                return ReapResult(0, [lease.run_id], 0, freed)
            self._requeue_crashed(connection, lease.worker, lease.seq, row["lane"])
            return ReapResult(1, [], 0, 0)

        return await self._database.write(work)

    def _end_if_due(
        self, connection: sqlite3.Connection, worker: str, row: Mapping[str, Any], answer: bytes, attempts: int | None
    ) -> int | None:
        """Ends a run that was taken back if it was cancelled, or, with `answer`, if it has no attempt of so many left;
        how many runs became ready by it. None: it is to be tried again. `attempts` None: this one does not count."""
        seq, thread_id, cancel = row["seq"], row["thread_id"], row["cancel"]
        if cancel == "rollback":
            return roll_back_run(connection, self._sql, seq, thread_id, now())
        if cancel is not None:
            return self._end(connection, worker, seq, thread_id, "interrupted", CANCELLED)
        if attempts is not None and (row["lane"] == Lane.SOLO or row["crashes"] + 1 >= attempts):
            return self._end(connection, worker, seq, thread_id, "error", answer)
        return None

    def _requeue_crashed(self, connection: sqlite3.Connection, worker: str, seq: int, lane: int) -> None:
        connection.execute(self._sql["requeue_crashed"], {"seq": seq, "worker": worker, "lane": lane, "now": now()})

    def _end(
        self,
        connection: sqlite3.Connection,
        worker: str,
        seq: int,
        thread_id: str,
        status: str,
        answer: bytes,
    ) -> int:
        """Ends a run in its worker's place; how many runs became ready by it."""
        time = now()
        row = connection.execute(
            self._sql["end_without_worker"],
            {
                "seq": seq,
                "worker": worker,
                "status": status,
                "crashed": status != "timeout",
                "answer": answer,
                "now": time,
            },
        ).fetchone()
        error = orjson.dumps(orjson.loads(answer)["__error__"])
        if row[1] is not None:
            add_delivery(connection, self._sql, seq, time, error=error)
        if status != "interrupted":
            connection.execute(self._sql["fail_thread"], (error, thread_id))
        return free_thread(connection, self._sql, thread_id, time)

    async def end_overdue(self, seconds: float, answer: bytes, limit: int) -> OverdueResult:
        parameters = (now() - int(seconds * 1e6), limit)

        def read(connection: sqlite3.Connection) -> list[tuple[int, str, str, str]]:
            return connection.execute(self._sql["overdue_runs"], parameters).fetchall()

        if not self._database.read(read):
            return OverdueResult([], 0)

        def work(connection: sqlite3.Connection) -> OverdueResult:
            ended: list[OverdueRun] = []
            promoted, time_slice = 0, TimeSlice()
            for seq, worker, run_id, thread_id in read(connection):
                promoted += self._end(connection, worker, seq, thread_id, "timeout", answer)
                ended.append(OverdueRun(run_id, thread_id))
                if time_slice.over:
                    break
            return OverdueResult(ended, promoted)

        return await self._database.write(work)

    async def stale(self, seconds: float) -> list[StaleWorker]:
        def read(connection: sqlite3.Connection) -> list[StaleWorker]:
            stale = connection.execute(self._sql["stale_workers"], (now() - int(seconds * 1e6),)).fetchall()
            unknown = connection.execute(self._sql["unknown_workers"]).fetchall()
            return [StaleWorker(*row) for row in stale] + [StaleWorker(worker, 0) for (worker,) in unknown]

        return self._database.read(read)
