"""The life of a run in the hands of workers, on Postgres."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
import orjson

from runyard.runtime.lifecycle import CANCELLED
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
from runyard.runtime.storage.port.runs import Interest, Lane
from runyard.runtime.storage.postgres.cancellation import release_run, roll_back_run
from runyard.runtime.storage.postgres.checkpoint_rows import cut_back_run, write_rows
from runyard.runtime.storage.postgres.connection import Connection
from runyard.runtime.storage.postgres.database import Database
from runyard.runtime.storage.postgres.delivery_rows import add_delivery
from runyard.runtime.storage.postgres.leases import holds, requested_cancel
from runyard.runtime.storage.postgres.leftovers import discard_thread
from runyard.runtime.storage.postgres.rows import one
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.time_slice import PIECE, TimeSlice

SUSPECTS = "the lane of suspects"
"""The lock of those who claim from it."""
BATCH_SHARE = 4
"""One in so many runs that nobody waits for is of a batch, although there are enough single ones."""


class _Claim(NamedTuple):
    """What the leases of one claim have in common."""

    worker: str
    token: int


class PostgresQueue:
    """The queue as a column of the table of runs."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._sql = queries
        self._crowded = False
        self._owed = 0.0

    async def claim(self, worker: str, *, limit: int, interactive: int, solo: bool = False) -> list[LeasedRun]:
        claim = _Claim(worker, secrets.randbits(63))

        def work(connection: Connection) -> list[LeasedRun]:
            if solo:
                given = {**claim._asdict(), "now": connection.now, "lane": int(Lane.SOLO)}
                return _in_order(claim, connection.execute(self._sql["claim_suspects"], given).fetchall())
            claimed = self._claim(connection, claim, Lane.AWAITED, Lane.INTERACTIVE, interactive)
            room = min(limit, interactive - len(claimed))
            if room > 0:
                claimed += self._claim_others(connection, claim, room)
            return claimed

        return await self._database.write(work, locks=[SUSPECTS] if solo else ())

    def _claim_others(self, connection: Connection, claim: _Claim, room: int) -> list[LeasedRun]:
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
        self, connection: Connection, claim: _Claim, lane_from: Lane, lane_to: Lane, limit: int
    ) -> list[LeasedRun]:
        rows = connection.execute(
            self._sql["claim"],
            {
                "worker": claim.worker,
                "token": claim.token,
                "now": connection.now,
                "lane_from": int(lane_from),
                "lane_to": int(lane_to),
                "limit": limit,
            },
        ).fetchall()
        return _in_order(claim, rows)

    async def hasten(self, run_id: str) -> int:
        def work(connection: Connection) -> int:
            rows = connection.execute(self._sql["hasten"], {"run_id": run_id, "lane": int(Lane.AWAITED)}).fetchall()
            return sum(queue == "ready" for (queue,) in rows)

        return await self._database.write(work)

    async def finish(self, request: FinishRequest, rows: Sequence[CheckpointRow | WriteRow] = ()) -> FinishResult:
        def work(connection: Connection) -> FinishResult:
            return self._finish(connection, request, rows) or self._finish_cancelled(connection, request, rows)

        return await self._database.write(work, locks=[request.lease.thread_id])

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
                return self._finish_cancelled(connection, request, rows)
            write_rows(connection, self._sql, rows)
            if request.readable is not None:
                cut_back_run(connection, self._sql, lease.thread_id, lease.run_id, request.readable)
            return None

        return await self._database.write(work, locks=[lease.thread_id])

    def _finish_cancelled(
        self, connection: Connection, request: FinishRequest, rows: Sequence[CheckpointRow | WriteRow]
    ) -> FinishResult:
        """The end of a run that was asked to stop: that holds, whatever the graph came to meanwhile."""
        lease = request.lease
        if requested_cancel(connection, self._sql, lease) == "rollback":
            promoted = roll_back_run(connection, self._sql, lease.seq, lease.thread_id, connection.now)
            return FinishResult(promoted, False, "rollback")
        failed = request.status in ("error", "timeout")
        interrupted = replace(
            request,
            status="interrupted",
            answer=CANCELLED if failed else request.answer,
            error=None,
        )
        finished = self._finish(connection, interrupted, rows, cancelled=True)
        assert finished is not None
        return replace(finished, cancelled="interrupt")

    def _finish(
        self,
        connection: Connection,
        request: FinishRequest,
        rows: Sequence[CheckpointRow | WriteRow],
        *,
        cancelled: bool = False,
    ) -> FinishResult | None:
        """None when the lease does not hold, or the run was asked to stop and is not `cancelled`."""
        lease, time = request.lease, connection.now
        shared = request.status == "success" and not request.temporary and request.answer == request.values
        row = connection.execute(
            self._sql["finish"],
            {
                "seq": lease.seq,
                "worker": lease.worker,
                "attempt": lease.attempt,
                "token": lease.token,
                "status": request.status,
                "answer": request.answer,
                "shared": shared,
                "paused": request.paused,
                "cancelled": cancelled,
                "now": time,
            },
        ).fetchone()
        if row is None:
            return None
        webhook, batch_id = row
        thread = {"thread_id": lease.thread_id, "now": time}
        promoted = 0
        if not request.temporary or not connection.execute(self._sql["delete_temporary_thread"], thread).rowcount:
            promoted = len(connection.execute(self._sql["promote"], thread).fetchall())
            settled = _settled(request)
            if request.temporary:  # another run was put on its thread; what the thread asks was not read
                connection.execute(self._sql["keep_run"], (lease.seq,))
            unread = request.values is None and request.status in ("interrupted", "timeout")
            unsettled = None
            if request.temporary or unread:
                unsettled = "error" if settled == "error" else "interrupted"
            connection.execute(
                self._sql["settle_thread"],
                {
                    **thread,
                    "settled": settled,
                    "state": request.values,
                    "interrupts": request.interrupts,
                    "error": request.error,
                    "unsettled": unsettled,
                    "answered": lease.seq if shared and batch_id is None else None,
                },
            )
            write_rows(connection, self._sql, rows if request.unsaved is None else [*rows, *request.unsaved()])
            if request.readable is not None:
                cut_back_run(connection, self._sql, lease.thread_id, lease.run_id, request.readable)
        elif request.spilled:
            discard_thread(connection, self._sql, lease.thread_id, TimeSlice(), with_runs=False)
        if request.tokens is not None:
            connection.execute(self._sql["count_tokens"], {**request.tokens._asdict(), "batch_id": batch_id})
        if webhook is not None:
            add_delivery(connection, self._sql, lease.seq, time, values=request.values, error=request.error)
        if batch_id is None:
            return FinishResult(promoted, webhook is not None)
        held, called = connection.execute(self._sql["batch_after_end"], (batch_id,)).fetchone() or (False, False)
        return FinishResult(promoted + held, webhook is not None or bool(called))

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
            ready, time_slice = 0, TimeSlice()
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


def _in_order(claim: _Claim, rows: list[tuple[Any, ...]]) -> list[LeasedRun]:
    # RETURNING answers in no particular order.
    return [_leased(claim, row) for row in sorted(rows, key=lambda row: (row[6], row[0]))]


def _settled(request: FinishRequest) -> str:
    if request.status in ("error", "timeout"):
        return "error"
    return "interrupted" if request.paused else "idle"


def _leased(claim: _Claim, row: tuple[Any, ...]) -> LeasedRun:
    seq, run_id, thread_id, attempt, assistant_id, graph_id, lane, temporary, resumable, *rest = row
    interest, cancel, metadata, kwargs, user, waited, batch_id, failed, creator, retry = rest
    return LeasedRun(
        lease=Lease(seq, claim.worker, attempt, claim.token, run_id, thread_id),
        assistant_id=assistant_id,
        graph_id=graph_id,
        kwargs=orjson.loads(kwargs),
        metadata=orjson.loads(metadata),
        lane=Lane(lane),
        temporary=bool(temporary),
        resumable=bool(resumable),
        interest=Interest(interest),
        cancel=cancel,
        user=user,
        waited=waited / 1e6,
        batch_id=batch_id,
        retry=None if retry is None else msgspec.json.decode(retry, type=RetryPolicy),
        failed=failed,
        creator=creator,
    )
