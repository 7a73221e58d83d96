"""The life of a run in the hands of workers, on Postgres."""

import asyncio
import secrets
import time
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
from runyard.runtime.storage.postgres.checkpoints.checkpoint_rows import write_rows
from runyard.runtime.storage.postgres.database.connection import SLICES, Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.database.groups import Groups
from runyard.runtime.storage.postgres.database.rest import Rest
from runyard.runtime.storage.postgres.leases import holds
from runyard.runtime.storage.postgres.runs.cancellation import release_run
from runyard.runtime.storage.postgres.runs.finishing import Finish, finish_at_once, finish_cancelled, finish_runs
from runyard.runtime.storage.rows.leased_runs import Claim, leased_run
from runyard.runtime.storage.shared.checkpoints import cut_back_run
from runyard.runtime.storage.sql.fetching import one
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.time_slice import PIECE, TimeSlice

SUSPECTS = "the lane of suspects"
"""The lock of those who claim from it."""
BATCH_SHARE = 4.0
"""One in so many runs that nobody waits for is of a batch, although there are enough single ones."""


class PostgresQueue:
    """The queue as a column of the table of runs."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries
        self._finishes: Groups[Finish, FinishResult] = Groups(
            database,
            lambda connection, finishes: finish_runs(connection, queries, finishes),
            lambda finish: [finish.request.lease.thread_id],
            at_once=lambda finishes: finish_at_once(database, queries, finishes),
            repeatable=True,  # the lease does not hold any more then
        )
        self._rest = Rest()
        self._crowded = False
        self._owed = 0.0

    async def claim(self, worker: str, *, limit: int, interactive: int, solo: bool = False) -> list[LeasedRun]:
        claim = Claim(worker, secrets.randbits(63))
        if solo:
            return await self._database.write(
                lambda connection: self._claim_suspects(connection, claim), locks=[SUSPECTS]
            )
        if (left := self._rest.left) > 0:
            await asyncio.sleep(left)
        asked = time.monotonic()
        rows = await self._database.write_one(
            self._sql["claim"],
            {
                **claim._asdict(),
                "limit": limit,
                "interactive": interactive,
                "crowded": self._crowded,
                "owed": self._owed,
                "batch_share": BATCH_SHARE,
            },
        )
        self._rest.begin(time.monotonic() - asked)
        self._note_share(rows, limit, interactive)
        return _in_order(claim, rows)

    def _claim_suspects(self, connection: Connection, claim: Claim) -> list[LeasedRun]:
        seqs = [seq for (seq,) in connection.execute(self._sql["lock_suspects"], {"lane": int(Lane.SOLO)})]
        if not seqs:
            return []
        connection.execute(self._sql["lock_runs"], (seqs,))
        given = {**claim._asdict(), "now": connection.now, "seqs": seqs}
        return _in_order(claim, connection.execute(self._sql["claim_suspects"], given).fetchall())

    def _note_share(self, rows: list[tuple[Any, ...]], limit: int, interactive: int) -> None:
        """Of what a claim took, what the next one owes to batches."""
        others = [(row[6], row[-1]) for row in rows if row[6] > Lane.INTERACTIVE]
        room = min(limit, interactive - len(rows) + len(others))
        if room <= 0:
            return
        if self._crowded:
            self._owed = (self._owed + room / BATCH_SHARE) % 1
        apart = [lane for lane, of_share in others if not of_share]
        if apart or len(others) < room:
            # Single ones have taken all that was left: without its share, a batch might wait for as long as they come.
            self._crowded = len(others) == room and all(lane == Lane.SINGLE for lane in apart)

    async def hasten(self, run_id: str) -> int:
        def work(connection: Connection) -> int:
            rows = connection.execute(self._sql["hasten"], {"run_id": run_id, "lane": int(Lane.AWAITED)}).fetchall()
            return sum(queue == "ready" for (queue,) in rows)

        return await self._database.write(work)

    async def finish(self, request: FinishRequest, rows: Sequence[CheckpointRow | WriteRow] = ()) -> FinishResult:
        return await self._finishes.add(Finish(request, rows))

    async def try_again(
        self, request: FinishRequest, seconds: float, rows: Sequence[CheckpointRow | WriteRow] = ()
    ) -> FinishResult | None:
        lease = request.lease
        given = {
            "seq": lease.seq,
            "worker": lease.worker,
            "attempt": lease.attempt,
            "token": lease.token,
        }

        def work(connection: Connection) -> FinishResult | None:
            times = {"now": connection.now, "due": connection.now + int(seconds * 1e6)}
            if not connection.execute(self._sql["try_again"], {**given, **times}).rowcount:
                return finish_cancelled(connection, self._sql, Finish(request, rows))
            write_rows(connection, self._sql, rows)
            if request.readable is not None:
                cut_back_run(connection, self._sql, lease.thread_id, lease.run_id, request.readable)
            return None

        return await self._database.write(work, locks=[lease.thread_id])

    async def holds(self, lease: Lease) -> bool:
        return await self._database.read(lambda connection: holds(connection, self._sql, lease))

    async def release(self, lease: Lease, rows: Sequence[CheckpointRow | WriteRow] = ()) -> FinishResult | None:
        return await self._database.write(
            lambda connection: release_run(connection, self._sql, lease, rows, connection.now), locks=[lease.thread_id]
        )

    async def make_due(self, limit: int) -> DueResult:
        next_due, time = await self._database.read(lambda connection: one(connection, self._sql["next_due"]))
        if next_due is None or next_due > time:
            return DueResult(0, None if next_due is None else (next_due - time) / 1e6)
        found = await self._database.read(
            lambda connection: connection.execute(self._sql["due_runs"], (time, min(limit, PIECE))).fetchall()
        )

        def work(connection: Connection) -> int:
            ready, time_slice = 0, TimeSlice(SLICES)
            for seq, thread_id in found:
                row = connection.execute(
                    self._sql["make_due"], {"seq": seq, "thread_id": thread_id, "now": connection.now}
                ).fetchone()
                ready += row is not None and row[0] == "ready"
                if time_slice.over:
                    break
            return ready

        return DueResult(await self._database.write(work, locks=[thread_id for _, thread_id in found]), 0.0)

    async def solo_waiting(self) -> int:
        groups = await self._database.read(
            lambda connection: one(connection, self._sql["ready_solo"], (int(Lane.SOLO),))
        )
        return int(groups[0])

    async def depth(self) -> QueueDepth:
        row = await self._database.read(lambda connection: one(connection, self._sql["depth"]))
        ready, waiting, delayed, running, oldest = row
        return QueueDepth(ready=ready, waiting=waiting, delayed=delayed, running=running, oldest=(oldest or 0) / 1e6)

    async def waits(self) -> QueueWaits:
        row = await self._database.read(lambda connection: one(connection, self._sql["waits"]))
        return QueueWaits(*((waited or 0) / 1e6 for waited in row))


def _in_order(claim: Claim, rows: list[tuple[Any, ...]]) -> list[LeasedRun]:
    # RETURNING answers in no particular order.
    return [_leased(claim, row) for row in sorted(rows, key=lambda row: (row[6], row[0]))]


def _leased(claim: Claim, row: Sequence[Any]) -> LeasedRun:
    *columns, retry, fresh, _ = row
    policy = None if retry is None else msgspec.json.decode(retry, type=RetryPolicy)
    return leased_run(claim, columns, policy, fresh=fresh)
