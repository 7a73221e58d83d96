"""Workers, and the runs of dead ones, on Postgres."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from runyard.runtime.errors import LeaseLost
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
from runyard.runtime.storage.postgres.database.connection import SLICES, Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.database.errors import unavailable
from runyard.runtime.storage.postgres.leases import requested_cancel
from runyard.runtime.storage.postgres.runs.cancellation import end_cancelled, end_unfinished, release_run
from runyard.runtime.storage.postgres.workers.worker_leases import WorkerLeases
from runyard.runtime.storage.sql.fetching import fetch_dicts
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.time_slice import TimeSlice

CLAIM_GRACE = 5_000_000
"""Microseconds after a claim from which on its answer has reached the worker or never will."""

LONGEST_LOOK = 2.0
"""Seconds for which a heartbeat waits to see the worker's runs, unless a fifth of the lease is less: the next one is
due. One whose lease had run out waits as long: what it sees decides whether it goes on with them."""


NOTHING_REAPED = ReapResult(0, [], 0, 0, webhook=False)


class _WorkerLease(NamedTuple):
    """Of a worker: whether it has been renewed in time, and for how long it is then."""

    holds: bool
    micros: int


class PostgresWorkers:
    """Workers, and servers that make webhook calls, as rows that they renew. Nothing else says that one lives: it may
    be on another machine."""

    def __init__(self, database: Database, queries: Queries, lease_seconds: float) -> None:
        self._database = database
        self._sql = queries
        self.leases = WorkerLeases(database, queries, lease_seconds)

    def close(self) -> None:
        """In front of the end of this process."""
        self.leases.close()

    def register(self, worker: str, *, server: int | None = None) -> None:
        self.leases.register(worker, server)

    def unregister(self, worker: str) -> None:
        self.leases.unregister(worker)

    async def alive(self) -> dict[str, WorkerState]:
        return dict.fromkeys(await self.leases.alive(), "running")

    async def machines(self) -> list[Machine]:
        return await self.leases.machines()

    async def evict(self, worker: str) -> bool:
        return await self.leases.end(worker)

    def lease_ends(self, worker: str) -> float | None:
        return self.leases.ends(worker)

    async def heartbeat(self, worker: str, held: Sequence[Lease], *, claiming: bool = False) -> HeartbeatResult:
        in_time = await self.leases.renew(worker)
        try:
            async with asyncio.timeout(min(LONGEST_LOOK, self.leases.seconds / 5) if in_time else LONGEST_LOOK):
                result = await self._heartbeat(worker, held, claiming)
        except TimeoutError:
            raise unavailable(f"worker {worker} lives, but its runs could not be seen in time") from None
        self.leases.seen(worker)
        return result

    async def _heartbeat(self, worker: str, held: Sequence[Lease], claiming: bool) -> HeartbeatResult:
        def work(connection: Connection) -> HeartbeatResult:
            time = connection.now
            connection.execute(self._sql["heartbeat"], {"worker": worker, "now": time})
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
                elif row["claimed_at"] is None or row["claimed_at"] < time - CLAIM_GRACE:
                    unheld.append(_lease(worker, row))
            connection.lock(*(lease.thread_id for lease in unheld))
            for lease in unheld:
                with contextlib.suppress(LeaseLost):  # somebody has seen to it meanwhile
                    release_run(connection, self._sql, lease, (), time)
            return HeartbeatResult(cancels, [seq for seq, claim in claims.items() if owned.get(seq) != claim])

        return await self._database.write(work)

    async def reap(
        self, worker: str, *, max_attempts: int, crashed: bool = True, groups: int = 0, unless_alive: bool = False
    ) -> ReapResult:
        def work(connection: Connection) -> ReapResult:
            requeued = solo = 0
            result = EndedRuns()
            lease = self._lock_lease(connection, worker) if unless_alive else None
            if lease is not None and lease.holds:
                return NOTHING_REAPED
            owned = fetch_dicts(connection, self._sql["runs_of_worker"], (worker,))
            connection.lock(*(row["thread_id"] for row in owned))
            held = {row["seq"]: row for row in fetch_dicts(connection, self._sql["lock_runs_of_worker"], (worker,))}
            # A claim is as good as a heartbeat: one that was stopped for longer may make it first, also while this
            # waited for what others had locked.
            if lease is not None and any(
                (row["claimed_at"] or 0) > connection.now - lease.micros for row in held.values()
            ):
                return NOTHING_REAPED
            connection.execute(self._sql["lock_runs"], ([*held],))
            left = [
                row
                for row in (held[row["seq"]] for row in owned if row["seq"] in held)
                if not self._end_if_due(connection, row, EXHAUSTED, max_attempts if crashed else None, result)
            ]
            size = -(-len(left) // groups) if groups else 0
            for index, row in enumerate(left):
                if not crashed:
                    release_run(connection, self._sql, _lease(worker, row), (), connection.now)
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
            calls = connection.execute(self._sql["release_deliveries"], {"sender": worker, "now": connection.now})
            ended = [run.run_id for run in result.ended]
            return ReapResult(requeued, ended, solo, result.promoted, result.webhook or calls.rowcount > 0)

        return await self._database.write(work)

    def _lock_lease(self, connection: Connection, worker: str) -> _WorkerLease:
        """From here to the end of the transaction the worker cannot say that it lives."""
        row = connection.execute(self._sql["lock_lease"], (worker,)).fetchone()
        return _WorkerLease(*(row or (False, int(self.leases.seconds * 1e6))))

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

        return await self._database.write(work, locks=[lease.thread_id])

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
        given = {"seq": seq, "worker": worker, "lane": lane, "suspects": suspects, "now": connection.now}
        connection.execute(self._sql["requeue_crashed"], given)
        return lane

    def _end_cancelled(self, connection: Connection, row: Mapping[str, Any], result: EndedRuns) -> None:
        """Ends a run that was asked to stop, in its worker's place; what follows is noted in `result`."""
        run_id, thread_id, effect = row["run_id"], row["thread_id"], CancelResult()
        end_cancelled(connection, self._sql, row["seq"], run_id, thread_id, row["cancel"], connection.now, effect)
        result.promoted += effect.promoted
        result.webhook = result.webhook or effect.webhook
        result.ended.append(EndedRun(run_id, thread_id, "interrupted"))

    async def end_overdue(self, seconds: float, answer: bytes, limit: int) -> EndedRuns:
        parameters = {"age": int(seconds * 1e6), "limit": limit}

        def end(connection: Connection, row: Mapping[str, Any], result: EndedRuns) -> None:
            if row["cancel"] is None:
                end_unfinished(connection, self._sql, row, "timeout", answer, result)
            else:
                self._end_cancelled(connection, row, result)

        return await self._end_all("overdue_runs", parameters, end)

    async def end_unstopped(self, seconds: float, limit: int, run_ids: Sequence[str] | None = None) -> EndedRuns:
        parameters = {
            "age": int(seconds * 1e6),
            "limit": limit,
            "run_ids": None if run_ids is None else list(run_ids),
        }
        return await self._end_all("unstopped_runs", parameters, self._end_cancelled)

    async def _end_all(
        self,
        query: str,
        parameters: Mapping[str, Any],
        end: Callable[[Connection, Mapping[str, Any], EndedRuns], None],
    ) -> EndedRuns:
        """Ends what a query finds, for a slice of time; nothing is written, and nobody kept from work, where it finds
        nothing."""
        found = await self._database.read(
            lambda connection: fetch_dicts(connection, self._sql[query], {**parameters, "among": None})
        )
        if not found:
            return EndedRuns()

        def work(connection: Connection) -> EndedRuns:
            result, time_slice = EndedRuns(), TimeSlice(SLICES)
            among = [row["seq"] for row in found]
            connection.execute(self._sql["lock_runs"], (among,))
            for row in fetch_dicts(connection, self._sql[query], {**parameters, "among": among}):
                end(connection, row, result)
                if time_slice.over:
                    break
            return result

        return await self._database.write(work, locks=[row["thread_id"] for row in found])

    async def known(self) -> list[KnownWorker]:
        def read(connection: Connection) -> list[KnownWorker]:
            known = connection.execute(self._sql["known_workers"]).fetchall()
            unknown = connection.execute(self._sql["unknown_workers"]).fetchall()
            senders = connection.execute(self._sql["known_senders"]).fetchall()
            return [KnownWorker(*row) for row in known + senders] + [KnownWorker(worker, 0) for (worker,) in unknown]

        return await self._database.read(read)

    async def probe(self) -> None:
        # A real change: a transaction without one succeeds on a full disk.
        await self._database.write(lambda connection: connection.execute(self._sql["probe"]).rowcount)


def _lease(worker: str, row: Mapping[str, Any]) -> Lease:
    return Lease(row["seq"], worker, row["attempt"], row["token"], row["run_id"], row["thread_id"])
