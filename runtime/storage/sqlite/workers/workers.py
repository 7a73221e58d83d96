"""Workers, and the runs of dead ones, on SQLite."""

import socket
from collections.abc import Sequence
from typing import Any

from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.workers import HeartbeatResult, Machine, ReapResult, WorkerState
from runyard.runtime.storage.shared.queue_time import Clock
from runyard.runtime.storage.shared.workers import Workers
from runyard.runtime.storage.sql.fetching import fetch_dicts
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database
from runyard.runtime.storage.sqlite.database.connection import Connection
from runyard.runtime.storage.sqlite.runs.cancellation import ENDS
from runyard.runtime.storage.sqlite.workers.worker_locks import WorkerLocks


class SqliteWorkers(Workers[Connection]):
    """Processes of this machine: a lock that one has says that it lives."""

    def __init__(
        self, database: Database[Connection], queries: Queries, clock: Clock[Connection], locks: WorkerLocks
    ) -> None:
        super().__init__(database, queries, ENDS, clock)
        self._locks = locks

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
        return await self._beat(worker, held, claiming=claiming)

    async def reap(
        self, worker: str, *, max_attempts: int, crashed: bool = True, groups: int = 0, unless_alive: bool = False
    ) -> ReapResult:
        reaped = await super().reap(
            worker, max_attempts=max_attempts, crashed=crashed, groups=groups, unless_alive=unless_alive
        )
        self._locks.forget(worker)
        return reaped

    def _take_back(self, connection: Connection, worker: str, *, unless_alive: bool) -> list[dict[str, Any]]:
        return fetch_dicts(connection, self._sql["runs_of_worker"], (worker,))

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
        given = {"claimed_before": self._clock(connection) - age, "asked_before": connection.now - age}
        return fetch_dicts(connection, self._sql[query], {**given, "limit": limit, "run_ids": wanted})
