"""The life of a run in the hands of workers, on SQLite."""

import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.queue import (
    DueResult,
    FinishRequest,
    FinishResult,
    Lease,
    LeasedRun,
    QueueDepth,
    QueueWaits,
)
from runyard.runtime.storage.port.retries import RetryPolicy
from runyard.runtime.storage.port.runs import Lane
from runyard.runtime.storage.rows.leased_runs import Claim, leased_run
from runyard.runtime.storage.shared.checkpoints import cut_back_run
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.checkpoints.checkpoint_rows import write_rows
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.leases import holds
from runyard.runtime.storage.sqlite.runs.cancellation import release_run
from runyard.runtime.storage.sqlite.runs.finishing import finish_cancelled_run, finish_run
from runyard.runtime.storage.sqlite.runs.queue_clock import QueueClock
from runyard.runtime.storage.time_slice import TimeSlice

BATCH_SHARE = 4
"""One in so many runs that nobody waits for is of a batch, although there are enough single ones."""


class SqliteQueue:
    """The queue as a column of the table of runs."""

    def __init__(self, database: Database, queries: Queries, clock: QueueClock) -> None:
        self._database = database
        self._sql = queries
        self._clock = clock
        self._crowded = False
        self._owed = 0.0

    async def claim(self, worker: str, *, limit: int, interactive: int, solo: bool = False) -> list[LeasedRun]:
        claim = Claim(worker, secrets.randbits(63))

        def work(connection: Connection) -> list[LeasedRun]:
            if solo:
                given = {**claim._asdict(), "now": now(), "clock": self._clock.now(), "lane": Lane.SOLO}
                rows = connection.execute(self._sql["claim_suspects"], given).fetchall()
                return self._in_order(connection, claim, rows)
            claimed = self._claim(connection, claim, Lane.AWAITED, Lane.INTERACTIVE, interactive)
            room = min(limit, interactive - len(claimed))
            if room > 0:
                claimed += self._claim_others(connection, claim, room)
            return claimed

        return await self._database.write(work)

    def _claim_others(self, connection: Connection, claim: Claim, room: int) -> list[LeasedRun]:
        """Runs that nobody waits for: single ones first, but for the share of batches where there are too many."""
        claimed: list[LeasedRun] = []
        if self._crowded:
            self._owed += room / BATCH_SHARE
            if self._owed >= 1:
                claimed = self._claim(connection, claim, Lane.BATCH, Lane.BATCH, int(self._owed))
                self._owed = self._owed % 1
        if len(claimed) < room:
            others = self._claim(connection, claim, Lane.SINGLE, Lane.BATCH, room - len(claimed))
            # Single ones have taken all that was left: without its share, a batch might wait for as long as they come.
            self._crowded = len(claimed) + len(others) == room and all(run.lane == Lane.SINGLE for run in others)
            claimed += others
        return claimed

    def _claim(
        self, connection: Connection, claim: Claim, lane_from: Lane, lane_to: Lane, limit: int
    ) -> list[LeasedRun]:
        rows = connection.execute(
            self._sql["claim"],
            {
                "worker": claim.worker,
                "token": claim.token,
                "now": now(),
                "clock": self._clock.now(),
                "lane_from": lane_from,
                "lane_to": lane_to,
                "limit": limit,
            },
        ).fetchall()
        return self._in_order(connection, claim, rows)

    def _in_order(self, connection: Connection, claim: Claim, rows: list[tuple[Any, ...]]) -> list[LeasedRun]:
        policies: dict[str | None, RetryPolicy | None] = {None: None}
        for batch_id in {row[15] for row in rows} - {None}:
            found = connection.execute(self._sql["retry_policy"], (batch_id,)).fetchone()
            if found is not None and found[0] is not None:
                policies[batch_id] = msgspec.json.decode(found[0], type=RetryPolicy)
        # RETURNING answers in no particular order.
        return [leased_run(claim, row, policies.get(row[15])) for row in sorted(rows, key=lambda row: (row[6], row[0]))]

    async def hasten(self, run_id: str) -> int:
        def work(connection: Connection) -> int:
            rows = connection.execute(self._sql["hasten"], {"run_id": run_id, "lane": Lane.AWAITED}).fetchall()
            return sum(queue == "ready" for (queue,) in rows)

        return await self._database.write(work)

    async def finish(self, request: FinishRequest, rows: Sequence[CheckpointRow | WriteRow] = ()) -> FinishResult:
        def work(connection: Connection) -> FinishResult:
            finished = finish_run(connection, self._sql, request, rows)
            return finished or finish_cancelled_run(connection, self._sql, request, rows)

        return await self._database.write(work)

    async def try_again(
        self, request: FinishRequest, seconds: float, rows: Sequence[CheckpointRow | WriteRow] = ()
    ) -> FinishResult | None:
        lease = request.lease
        given = {
            "seq": lease.seq,
            "worker": lease.worker,
            "attempt": lease.attempt,
            "token": lease.token,
            "due": self._clock.now() + int(seconds * 1e6),
        }

        def work(connection: Connection) -> FinishResult | None:
            if not connection.execute(self._sql["try_again"], {**given, "now": now()}).rowcount:
                return finish_cancelled_run(connection, self._sql, request, rows)
            write_rows(connection, self._sql, rows)
            if request.readable is not None:
                cut_back_run(connection, self._sql, lease.thread_id, lease.run_id, request.readable)
            return None

        return await self._database.write(work)

    async def holds(self, lease: Lease) -> bool:
        return self._database.read_here(lambda connection: holds(connection, self._sql, lease))

    async def release(self, lease: Lease, rows: Sequence[CheckpointRow | WriteRow] = ()) -> FinishResult | None:
        return await self._database.write(lambda connection: release_run(connection, self._sql, lease, rows, now()))

    async def make_due(self, limit: int) -> DueResult:
        time = self._clock.now()
        next_due = self._database.read_here(lambda connection: connection.execute(self._sql["next_due"]).fetchone()[0])
        if next_due is None or next_due > time:
            return DueResult(0, None if next_due is None else (next_due - time) / 1e6)

        def work(connection: Connection) -> int:
            ready, time_slice = 0, TimeSlice()
            for seq, thread_id in connection.execute(self._sql["due_runs"], (time, limit)).fetchall():
                row = connection.execute(
                    self._sql["make_due"], {"seq": seq, "thread_id": thread_id, "now": now()}
                ).fetchone()
                ready += row is not None and row[0] == "ready"
                if time_slice.over:
                    break
            return ready

        return DueResult(await self._database.write(work), 0.0)

    async def solo_waiting(self) -> int:
        (groups,) = self._database.read_here(
            lambda connection: connection.execute(self._sql["ready_solo"], (Lane.SOLO,)).fetchone()
        )
        return int(groups)

    async def depth(self) -> QueueDepth:
        def read(connection: Connection) -> QueueDepth:
            ready, waiting, delayed, running, oldest = connection.execute(self._sql["depth"]).fetchone()
            return QueueDepth(
                ready=ready,
                waiting=waiting,
                delayed=delayed,
                running=running,
                oldest=0.0 if oldest is None else (now() - oldest) / 1e6,
            )

        return await self._database.read_in_pool(read, "lookup")

    async def waits(self) -> QueueWaits:
        def read(connection: Connection) -> QueueWaits:
            first, middle = connection.execute(self._sql["waits"]).fetchone()
            time = now()
            return QueueWaits(*(0.0 if created is None else (time - created) / 1e6 for created in (first, middle)))

        return await self._database.read_in_pool(read, "lookup")
