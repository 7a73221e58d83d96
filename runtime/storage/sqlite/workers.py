"""Workers, and the runs of dead ones, on SQLite."""

import sqlite3
from collections.abc import Sequence

import orjson

from runyard.runtime.lifecycle import CANCELLED, EXHAUSTED
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.runs import CancelAction, Lane
from runyard.runtime.storage.port.workers import HeartbeatResult, OverdueResult, OverdueRun, ReapResult, StaleWorker
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.sqlite.cancellation import free_thread, roll_back_run
from runyard.runtime.storage.sqlite.database import Database, now
from runyard.runtime.storage.sqlite.deliveries import add_delivery
from runyard.runtime.storage.sqlite.rows import fetch_dicts

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
            time = now()
            for row in fetch_dicts(connection, self._sql["runs_of_worker"], (worker,)):
                seq, run_id, thread_id = row["seq"], row["run_id"], row["thread_id"]
                crashes, cancel, lane = row["crashes"], row["cancel"], row["lane"]
                if cancel == "rollback":
                    promoted += roll_back_run(connection, self._sql, seq, thread_id, time)
                    ended.append(run_id)
                elif cancel is not None:
                    promoted += self._end(connection, worker, seq, thread_id, "interrupted", CANCELLED)
                    ended.append(run_id)
                elif not crashed:
                    solo += lane == Lane.SOLO
                    requeued += lane != Lane.SOLO
                    given = {"seq": seq, "worker": worker, "attempt": row["attempt"], "now": time}
                    connection.execute(self._sql["release"], given)
                elif lane == Lane.SOLO or crashes + 1 >= max_attempts:
                    promoted += self._end(connection, worker, seq, thread_id, "error", EXHAUSTED)
                    ended.append(run_id)
                else:
                    # The last attempt is made alone, so that a run pays only for crashes of its own.
                    alone = crashes + 2 >= max_attempts
                    solo += alone
                    requeued += not alone
                    connection.execute(
                        self._sql["requeue_crashed"],
                        {"seq": seq, "worker": worker, "lane": Lane.SOLO if alone else lane, "now": time},
                    )
            connection.execute(self._sql["forget_worker"], (worker,))
            return ReapResult(requeued, ended, solo, promoted)

        return await self._database.write(work)

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
            promoted = 0
            for seq, worker, run_id, thread_id in read(connection):
                promoted += self._end(connection, worker, seq, thread_id, "timeout", answer)
                ended.append(OverdueRun(run_id, thread_id))
            return OverdueResult(ended, promoted)

        return await self._database.write(work)

    async def stale(self, seconds: float) -> list[StaleWorker]:
        def read(connection: sqlite3.Connection) -> list[StaleWorker]:
            stale = connection.execute(self._sql["stale_workers"], (now() - int(seconds * 1e6),)).fetchall()
            unknown = connection.execute(self._sql["unknown_workers"]).fetchall()
            return [StaleWorker(*row) for row in stale] + [StaleWorker(worker, 0) for (worker,) in unknown]

        return self._database.read(read)
