"""The life of a run in the hands of workers, on SQLite."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence

import orjson

from runyard.runtime.errors import LeaseLost
from runyard.runtime.lifecycle import CANCELLED, EXHAUSTED
from runyard.runtime.storage.port.queue import (
    FinishRequest,
    FinishResult,
    HeartbeatResult,
    Lease,
    LeasedRun,
    QueueDepth,
    ReapResult,
)
from runyard.runtime.storage.port.runs import CancelAction, Interest, Lane
from runyard.runtime.storage.sqlite.checkpoints import delete_checkpoints_of_run, delete_checkpoints_of_thread
from runyard.runtime.storage.sqlite.database import Database, now
from runyard.runtime.storage.sqlite.deliveries import add_delivery
from runyard.runtime.storage.sqlite.rows import as_dicts

SETTLED = 5_000_000
"""Microseconds after a claim from which on its answer has reached the worker or never will."""

LeaveThread = Callable[[sqlite3.Connection, str, int], int]


class SqliteQueue:
    """See `QueueStorage`."""

    def __init__(
        self,
        database: Database,
        queries: Mapping[str, str],
        leave_thread: LeaveThread,
        check_saved: Callable[[Lease], None],
    ) -> None:
        self._database = database
        self._sql = queries
        self._leave_thread = leave_thread
        self._check_saved = check_saved

    async def claim(self, worker: str, *, limit: int, interactive: int, solo: bool = False) -> list[LeasedRun]:
        def work(connection: sqlite3.Connection) -> list[LeasedRun]:
            if solo:
                return self._claim(connection, worker, Lane.SOLO, Lane.SOLO, 1)
            claimed = self._claim(connection, worker, Lane.INTERACTIVE, Lane.INTERACTIVE, interactive)
            room = min(limit, interactive - len(claimed))
            if room > 0:
                claimed += self._claim(connection, worker, Lane.SINGLE, Lane.BATCH, room)
            return claimed

        return await self._database.write(work)

    def _claim(
        self, connection: sqlite3.Connection, worker: str, lane_from: Lane, lane_to: Lane, limit: int
    ) -> list[LeasedRun]:
        rows = connection.execute(
            self._sql["claim"],
            {"worker": worker, "now": now(), "lane_from": lane_from, "lane_to": lane_to, "limit": limit},
        ).fetchall()
        # RETURNING answers in no particular order.
        return [_leased(worker, row) for row in sorted(rows, key=lambda row: (row[6], row[0]))]

    async def finish(self, finish: FinishRequest) -> FinishResult:
        return await self._database.write(lambda connection: self._finish(connection, finish))

    def _finish(self, connection: sqlite3.Connection, finish: FinishRequest) -> FinishResult:
        lease, time = finish.lease, now()
        self._check_saved(lease)
        row = connection.execute(
            self._sql["finish"],
            {
                "seq": lease.seq,
                "worker": lease.worker,
                "attempt": lease.attempt,
                "status": finish.status,
                "answer": finish.answer,
                "now": time,
            },
        ).fetchone()
        if row is None:
            raise LeaseLost(f"run {lease.run_id}: the lease of {lease.worker} no longer holds")
        thread = {"thread_id": lease.thread_id, "now": time}
        promoted = 0
        if not finish.temporary or not connection.execute(self._sql["delete_finished_thread"], thread).rowcount:
            promoted = len(connection.execute(self._sql["promote"], thread).fetchall())
            settled = "error" if finish.status in ("error", "timeout") else "interrupted" if finish.paused else "idle"
            connection.execute(
                self._sql["settle_thread"],
                {
                    **thread,
                    "settled": settled,
                    "state": finish.values,
                    "interrupts": finish.interrupts,
                    "error": finish.error,
                },
            )
        elif finish.spilled:
            delete_checkpoints_of_thread(connection, lease.thread_id)
        if row[1] is not None:
            add_delivery(connection, self._sql, lease.seq, time, values=finish.values, error=finish.error)
        return FinishResult(promoted, row[1] is not None)

    async def finish_cancelled(self, finish: FinishRequest, action: CancelAction) -> FinishResult:
        def work(connection: sqlite3.Connection) -> FinishResult:
            # The flag may have become a rollback after the worker was told to interrupt; then that holds.
            flagged = self._hold(connection, finish.lease)
            if "rollback" not in (action, flagged):
                return self._finish(connection, finish)
            return FinishResult(self._roll_back(connection, finish.lease.seq, finish.lease.thread_id), False)

        return await self._database.write(work)

    def _roll_back(self, connection: sqlite3.Connection, seq: int, thread_id: str) -> int:
        """Removes a run and what it wrote; the thread is what it was before."""
        (run_id,) = connection.execute("delete from runs where seq = ? returning run_id", (seq,)).fetchone()
        connection.execute("delete from run_events where run_id = ?", (run_id,))
        delete_checkpoints_of_run(connection, thread_id, run_id)
        return self._leave_thread(connection, thread_id, now())

    def _hold(self, connection: sqlite3.Connection, lease: Lease) -> CancelAction | None:
        """What was asked of a run whose lease holds. Raises LeaseLost."""
        row = connection.execute(self._sql["hold"], (lease.seq, lease.worker, lease.attempt)).fetchone()
        if row is None:
            raise LeaseLost(f"run {lease.run_id}: the lease of {lease.worker} no longer holds")
        flagged: CancelAction | None = row[0]
        return flagged

    async def release(self, lease: Lease) -> None:
        def work(connection: sqlite3.Connection) -> None:
            parameters = {"seq": lease.seq, "worker": lease.worker, "attempt": lease.attempt, "now": now()}
            if not connection.execute(self._sql["release"], parameters).rowcount:
                raise LeaseLost(f"run {lease.run_id}: the lease of {lease.worker} no longer holds")

        await self._database.write(work)

    async def heartbeat(self, worker: str, pid: int, held: Sequence[Lease] | None) -> HeartbeatResult:
        def work(connection: sqlite3.Connection) -> HeartbeatResult:
            time = now()
            connection.execute(self._sql["heartbeat"], {"worker": worker, "pid": pid, "now": time})
            if held is None:
                return HeartbeatResult({}, [])
            attempts = {lease.seq: lease.attempt for lease in held}
            owned: dict[int, int] = {}
            cancels: dict[int, CancelAction] = {}
            for row in as_dicts(connection, self._sql["owned"], (worker,)):
                owned[row["seq"]] = row["attempt"]
                if attempts.get(row["seq"]) == row["attempt"]:
                    if row["cancel"] is not None:
                        cancels[row["seq"]] = row["cancel"]
                elif row["started_at"] < time - SETTLED:
                    given = {"seq": row["seq"], "worker": worker, "attempt": row["attempt"], "now": time}
                    connection.execute(self._sql["release"], given)
            return HeartbeatResult(cancels, [seq for seq, attempt in attempts.items() if owned.get(seq) != attempt])

        return await self._database.write(work)

    async def reap(self, worker: str, *, max_attempts: int) -> ReapResult:
        def work(connection: sqlite3.Connection) -> ReapResult:
            requeued = solo = promoted = 0
            ended: list[str] = []
            time = now()
            for row in as_dicts(connection, self._sql["owned"], (worker,)):
                seq, run_id, thread_id = row["seq"], row["run_id"], row["thread_id"]
                crashes, cancel, lane = row["crashes"], row["cancel"], row["lane"]
                if cancel == "rollback":
                    promoted += self._roll_back(connection, seq, thread_id)
                    ended.append(run_id)
                elif cancel is not None:
                    promoted += self._end(connection, worker, seq, thread_id, "interrupted", CANCELLED)
                    ended.append(run_id)
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
        """Ends a run of a dead worker; how many runs became ready by it."""
        time = now()
        row = connection.execute(
            self._sql["exhaust"],
            {"seq": seq, "worker": worker, "status": status, "answer": answer, "now": time},
        ).fetchone()
        error = orjson.dumps(orjson.loads(answer)["__error__"])
        if row[1] is not None:
            add_delivery(connection, self._sql, seq, time, error=error)
        if status == "error":
            connection.execute(
                "update threads set settled = 'error', error = ? where thread_id = ?", (error, thread_id)
            )
        return self._leave_thread(connection, thread_id, time)

    async def stale_workers(self, seconds: float) -> list[tuple[str, int]]:
        def look(connection: sqlite3.Connection) -> list[tuple[str, int]]:
            stale = connection.execute(self._sql["stale_workers"], (now() - int(seconds * 1e6),)).fetchall()
            unknown = connection.execute(self._sql["ownerless"]).fetchall()
            return [(worker, pid) for worker, pid in stale] + [(worker, 0) for (worker,) in unknown]

        return self._database.look(look)

    async def make_due(self, limit: int) -> tuple[int, float | None]:
        time = now()
        next_due = self._database.look(lambda connection: connection.execute(self._sql["next_due"]).fetchone()[0])
        if next_due is None or next_due > time:
            return 0, None if next_due is None else (next_due - time) / 1e6

        def work(connection: sqlite3.Connection) -> int:
            ready = 0
            for seq, thread_id in connection.execute(self._sql["due"], (time, limit)).fetchall():
                row = connection.execute(
                    self._sql["make_due"], {"seq": seq, "thread_id": thread_id, "now": time}
                ).fetchone()
                ready += row is not None and row[0] == "ready"
            return ready

        return await self._database.write(work), 0.0

    async def solo_waiting(self) -> bool:
        return self._database.look(
            lambda connection: connection.execute(self._sql["ready_solo"], (Lane.SOLO,)).fetchone() is not None
        )

    async def depth(self) -> QueueDepth:
        def look(connection: sqlite3.Connection) -> QueueDepth:
            counts = dict(connection.execute(self._sql["depth"]).fetchall())
            (oldest,) = connection.execute(self._sql["oldest_ready"]).fetchone()
            return QueueDepth(
                ready=counts.get("ready", 0),
                waiting=counts.get("waiting", 0),
                delayed=counts.get("delayed", 0),
                running=counts.get("running", 0),
                oldest=0.0 if oldest is None else (now() - oldest) / 1e6,
            )

        return await self._database.scan(look)


def _leased(worker: str, row: tuple[object, ...]) -> LeasedRun:
    (
        seq,
        run_id,
        thread_id,
        attempt,
        assistant_id,
        graph_id,
        lane,
        temporary,
        resumable,
        interest,
        cancel,
        *rest,
    ) = row
    metadata, kwargs, waited = rest
    return LeasedRun(
        lease=Lease(seq, worker, attempt, run_id, thread_id),  # type: ignore[arg-type]
        assistant_id=assistant_id,  # type: ignore[arg-type]
        graph_id=graph_id,  # type: ignore[arg-type]
        kwargs=orjson.loads(kwargs),  # type: ignore[arg-type]
        metadata=orjson.loads(metadata),  # type: ignore[arg-type]
        lane=Lane(lane),  # type: ignore[arg-type]
        temporary=bool(temporary),
        resumable=bool(resumable),
        interest=Interest(interest),  # type: ignore[arg-type]
        cancel=cancel,  # type: ignore[arg-type]
        waited=waited / 1e6,  # type: ignore[operator]
    )
