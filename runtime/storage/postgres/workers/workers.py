"""Workers, and the runs of dead ones, on Postgres."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.workers import HeartbeatResult, Machine, WorkerState
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.database.errors import unavailable
from runyard.runtime.storage.postgres.runs.cancellation import ENDS
from runyard.runtime.storage.postgres.workers.worker_leases import WorkerLeases
from runyard.runtime.storage.shared.queue_time import time_of
from runyard.runtime.storage.shared.workers import Workers
from runyard.runtime.storage.sql.fetching import fetch_dicts
from runyard.runtime.storage.sql.queries import Queries

LONGEST_LOOK = 2.0
"""Seconds for which a heartbeat waits to see the worker's runs, unless a fifth of the lease is less: the next one is
due. One whose lease had run out waits as long: what it sees decides whether it goes on with them."""


class _WorkerLease(NamedTuple):
    """Of a worker: whether it has been renewed in time, and for how long it is then."""

    holds: bool
    micros: int


class PostgresWorkers(Workers[Connection]):
    """Workers, and servers that make webhook calls, as rows that they renew. Nothing else says that one lives: it may
    be on another machine."""

    def __init__(self, database: Database, queries: Queries, lease_seconds: float) -> None:
        super().__init__(database, queries, ENDS, time_of)
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
                result = await self._beat(worker, held, claiming=claiming)
        except TimeoutError:
            raise unavailable(f"worker {worker} lives, but its runs could not be seen in time") from None
        self.leases.seen(worker)
        return result

    def _take_back(self, connection: Connection, worker: str, *, unless_alive: bool) -> list[dict[str, Any]] | None:
        lease = self._lock_lease(connection, worker) if unless_alive else None
        if lease is not None and lease.holds:
            return None
        owned = fetch_dicts(connection, self._sql["runs_of_worker"], (worker,))
        connection.lock(*(row["thread_id"] for row in owned))
        held = {row["seq"]: row for row in fetch_dicts(connection, self._sql["lock_runs_of_worker"], (worker,))}
        # A claim is as good as a heartbeat: one that was stopped for longer may make it first, also while this waited
        # for what others had locked.
        if lease is not None and any((row["claimed_at"] or 0) > connection.now - lease.micros for row in held.values()):
            return None
        connection.execute(self._sql["lock_runs"], ([*held],))
        return [held[row["seq"]] for row in owned if row["seq"] in held]

    def _lock_lease(self, connection: Connection, worker: str) -> _WorkerLease:
        """From here to the end of the transaction the worker cannot say that it lives."""
        row = connection.execute(self._sql["lock_lease"], (worker,)).fetchone()
        return _WorkerLease(*(row or (False, int(self.leases.seconds * 1e6))))

    def _release_calls(self, connection: Connection, worker: str) -> bool:
        given = {"sender": worker, "now": connection.now}
        return connection.execute(self._sql["release_deliveries"], given).rowcount > 0

    def _find(
        self,
        connection: Connection,
        query: str,
        age: int,
        limit: int,
        run_ids: Sequence[str] | None,
        among: list[int] | None,
    ) -> list[dict[str, Any]]:
        wanted = None if run_ids is None else connection.conditions.array(run_ids)
        given = {"age": age, "limit": limit, "run_ids": wanted, "among": among}
        return fetch_dicts(connection, self._sql[query], given)
