"""Workers, and the runs of dead ones, on SQLite."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from runyard.runtime.lifecycle import EXHAUSTED
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.runs import CancelAction, CancelResult, Lane
from runyard.runtime.storage.port.workers import (
    EndedRun,
    EndedRuns,
    HeartbeatResult,
    KnownWorker,
    Machine,
    ReapResult,
    WorkerState,
)
from runyard.runtime.storage.sql.fetching import fetch_dicts
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.leases import requested_cancel
from runyard.runtime.storage.sqlite.runs.cancellation import end_cancelled, end_unfinished, release_run
from runyard.runtime.storage.sqlite.runs.queue_clock import QueueClock
from runyard.runtime.storage.sqlite.workers.worker_locks import WorkerLocks
from runyard.runtime.storage.time_slice import TimeSlice

CLAIM_GRACE = 5_000_000
"""Microseconds after a claim from which on its answer has reached the worker or never will."""


class SqliteWorkers:
    """Workers as rows that their heartbeats renew, and as processes of this machine."""

    def __init__(self, database: Database, queries: Queries, clock: QueueClock, locks: WorkerLocks) -> None:
        self._clock = clock
        self._locks = locks
        self._database = database
        self._sql = queries

    def register(self, worker: str, *, server: int | None = None) -> None:
        self._locks.take(worker)

    def unregister(self, worker: str) -> None:
        self._locks.give_up(worker)

    async def alive(self) -> dict[str, WorkerState]:
        return self._locks.states()

    async def machines(self) -> list[Machine]:
        return [Machine(socket.gethostname(), 1, len(self._locks.states()))]

    def lease_ends(self, worker: str) -> float | None:
        return None

    async def evict(self, worker: str) -> bool:
        return self._locks.kill(worker)

    async def heartbeat(self, worker: str, held: Sequence[Lease], *, claiming: bool = False) -> HeartbeatResult:
        def work(connection: Connection) -> HeartbeatResult:
            time = now()
            connection.execute(self._sql["heartbeat"], {"worker": worker, "pid": os.getpid(), "now": time})
            claims = {lease.seq: (lease.attempt, lease.token) for lease in held}
            owned: dict[int, tuple[int, int]] = {}
            cancels: dict[int, CancelAction] = {}
            for row in fetch_dicts(connection, self._sql["runs_of_worker"], (worker,)):
                owned[row["seq"]] = row["attempt"], row["token"]
                if claims.get(row["seq"]) == owned[row["seq"]]:
                    if row["cancel"] is not None:
                        cancels[row["seq"]] = row["cancel"]
                elif claiming:
                    continue
                elif row["claimed_at"] is None or row["claimed_at"] < self._clock.now() - CLAIM_GRACE:
                    unheld = _lease(worker, row)
                    release_run(connection, self._sql, unheld, (), time)
            return HeartbeatResult(cancels, [seq for seq, claim in claims.items() if owned.get(seq) != claim])

        return await self._database.write(work)

    async def reap(
        self, worker: str, *, max_attempts: int, crashed: bool = True, groups: int = 0, unless_alive: bool = False
    ) -> ReapResult:
        def work(connection: Connection) -> ReapResult:
            requeued = solo = 0
            result = EndedRuns()
            left = [
                row
                for row in fetch_dicts(connection, self._sql["runs_of_worker"], (worker,))
                if not self._end_if_due(connection, row, EXHAUSTED, max_attempts if crashed else None, result)
            ]
            size = -(-len(left) // groups) if groups else 0
            for index, row in enumerate(left):
                if not crashed:
                    release_run(connection, self._sql, _lease(worker, row), (), now())
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
            ended = [run.run_id for run in result.ended]
            return ReapResult(requeued, ended, solo, result.promoted, result.webhook)

        reaped = await self._database.write(work)
        self._locks.forget(worker)
        return reaped

    async def fail_attempt(self, lease: Lease, answer: bytes, *, max_attempts: int) -> ReapResult:
        def work(connection: Connection) -> ReapResult:
            requested_cancel(connection, self._sql, lease)  # the lease holds
            owned = fetch_dicts(connection, self._sql["runs_of_worker"], (lease.worker,))
            row = next(row for row in owned if row["seq"] == lease.seq)
            result = EndedRuns()
            if self._end_if_due(connection, row, answer, max_attempts, result):
                return ReapResult(0, [lease.run_id], 0, result.promoted, result.webhook)
            self._requeue_crashed(connection, lease.worker, lease.seq, row["lane"], row["suspects"])
            return ReapResult(1, [], 0, 0, webhook=False)

        return await self._database.write(work)

    def _end_if_due(
        self,
        connection: Connection,
        row: Mapping[str, Any],
        answer: bytes,
        attempts: int | None,
        result: EndedRuns,
    ) -> bool:
        """Ends a run that was taken back if it was cancelled, or, with `answer`, if it has no attempt of so many left;
        False: it is to be tried again. `attempts` None: this one does not count."""
        if row["cancel"] is not None:
            self._end_cancelled(connection, row, result)
        elif attempts is not None and row["crashes"] + 1 >= attempts:
            end_unfinished(connection, self._sql, row, "error", answer, result)
        else:
            return False
        return True

    def _requeue_crashed(
        self, connection: Connection, worker: str, seq: int, lane: int, suspects: str | None = None
    ) -> int:
        given = {"seq": seq, "worker": worker, "lane": lane, "suspects": suspects, "now": now()}
        connection.execute(self._sql["requeue_crashed"], given)
        return lane

    def _end_cancelled(self, connection: Connection, row: Mapping[str, Any], result: EndedRuns) -> None:
        """Ends a run that was asked to stop, in its worker's place; what follows is noted in `result`."""
        run_id, thread_id, effect = row["run_id"], row["thread_id"], CancelResult()
        end_cancelled(connection, self._sql, row["seq"], run_id, thread_id, row["cancel"], now(), effect)
        result.promoted += effect.promoted
        result.webhook = result.webhook or effect.webhook
        result.ended.append(EndedRun(run_id, thread_id, "interrupted"))

    async def end_overdue(self, seconds: float, answer: bytes, limit: int) -> EndedRuns:
        parameters = (self._clock.now() - int(seconds * 1e6), limit)

        def end(connection: Connection, row: Mapping[str, Any], result: EndedRuns) -> None:
            if row["cancel"] is None:
                end_unfinished(connection, self._sql, row, "timeout", answer, result)
            else:
                self._end_cancelled(connection, row, result)

        return await self._end_all("overdue_runs", parameters, end)

    async def end_unstopped(self, seconds: float, limit: int, run_ids: Sequence[str] | None = None) -> EndedRuns:
        parameters = {
            "asked_before": now() - int(seconds * 1e6),
            "limit": limit,
            "run_ids": None if run_ids is None else orjson.dumps([*run_ids]).decode(),
        }
        return await self._end_all("unstopped_runs", parameters, self._end_cancelled)

    async def _end_all(
        self,
        query: str,
        parameters: object,
        end: Callable[[Connection, Mapping[str, Any], EndedRuns], None],
    ) -> EndedRuns:
        """Ends what a query finds, for a slice of time; nothing is written, and no writer kept from its work, where it
        finds nothing."""

        def read(connection: Connection) -> list[dict[str, Any]]:
            return fetch_dicts(connection, self._sql[query], parameters)

        def work(connection: Connection) -> EndedRuns:
            result, time_slice = EndedRuns(), TimeSlice()
            for row in read(connection):
                end(connection, row, result)
                if time_slice.over:
                    break
            return result

        return await self._database.write(work) if self._database.read_here(read) else EndedRuns()

    async def known(self) -> list[KnownWorker]:
        def read(connection: Connection) -> list[KnownWorker]:
            known = connection.execute(self._sql["known_workers"]).fetchall()
            unknown = connection.execute(self._sql["unknown_workers"]).fetchall()
            return [KnownWorker(*row) for row in known] + [KnownWorker(worker, 0) for (worker,) in unknown]

        return self._database.read_here(read)

    async def probe(self) -> None:
        # A real change: a transaction without one succeeds on a full disk.
        await self._database.write(lambda connection: connection.execute(self._sql["probe"]).rowcount)


def _lease(worker: str, row: Mapping[str, Any]) -> Lease:
    return Lease(row["seq"], worker, row["attempt"], row["token"], row["run_id"], row["thread_id"])
