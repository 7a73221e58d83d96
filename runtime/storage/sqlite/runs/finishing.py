"""The end of a run, within the transaction of whoever ends it, on SQLite."""

from collections.abc import Sequence
from dataclasses import replace

from runyard.runtime.lifecycle import CANCELLED
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.queue import FinishRequest, FinishResult
from runyard.runtime.storage.rows.deliveries import add_delivery
from runyard.runtime.storage.shared.checkpoints import cut_back_run
from runyard.runtime.storage.shared.leftovers import discard_thread
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.checkpoints.checkpoint_rows import write_rows
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.leases import requested_cancel
from runyard.runtime.storage.sqlite.runs.cancellation import roll_back_run
from runyard.runtime.storage.time_slice import TimeSlice


def finish_cancelled_run(
    connection: Connection, sql: Queries, request: FinishRequest, rows: Sequence[CheckpointRow | WriteRow]
) -> FinishResult:
    """The end of a run that was asked to stop: that holds, whatever the graph came to meanwhile."""
    lease = request.lease
    if requested_cancel(connection, sql, lease) == "rollback":
        promoted = roll_back_run(connection, sql, lease.seq, lease.thread_id, now())
        return FinishResult(promoted, False, "rollback")
    failed = request.status in ("error", "timeout")
    interrupted = replace(
        request,
        status="interrupted",
        answer=CANCELLED if failed else request.answer,
        error=None,
    )
    finished = finish_run(connection, sql, interrupted, rows, cancelled=True)
    assert finished is not None
    return replace(finished, cancelled="interrupt")


def finish_run(
    connection: Connection,
    sql: Queries,
    request: FinishRequest,
    rows: Sequence[CheckpointRow | WriteRow],
    *,
    cancelled: bool = False,
) -> FinishResult | None:
    """The end of a run and what it means for its thread and its batch, with the last of its checkpoints. None when the
    lease does not hold, or the run was asked to stop and is not `cancelled`."""
    lease, time = request.lease, now()
    shared = request.status == "success" and not request.temporary and request.answer == request.values
    row = connection.execute(
        sql["finish"],
        {
            "seq": lease.seq,
            "worker": lease.worker,
            "attempt": lease.attempt,
            "token": lease.token,
            "status": request.status,
            "paused": request.paused,
            "answer": request.answer,
            "shared": shared,
            "cancelled": cancelled,
            "now": time,
        },
    ).fetchone()
    if row is None:
        return None
    webhook, batch_id = row
    thread = {"thread_id": lease.thread_id, "now": time}
    promoted = 0
    if not request.temporary or not connection.execute(sql["delete_temporary_thread"], thread).rowcount:
        promoted = len(connection.execute(sql["promote"], thread).fetchall())
        settled = _settled(request)
        if request.temporary:  # another run was put on its thread; what the thread asks was not read
            connection.execute(sql["keep_run"], (lease.seq,))
        unread = request.values is None and request.status in ("interrupted", "timeout")
        unsettled = None
        if request.temporary or unread:
            unsettled = "error" if settled == "error" else "interrupted"
        connection.execute(
            sql["settle_thread"],
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
        write_rows(connection, sql, rows if request.unsaved is None else [*rows, *request.unsaved()])
        if request.readable is not None:
            cut_back_run(connection, sql, lease.thread_id, lease.run_id, request.readable)
    elif request.spilled:
        discard_thread(connection, sql, lease.thread_id, TimeSlice(), with_runs=False)
    if request.tokens is not None:
        connection.execute(sql["count_tokens"], {**request.tokens._asdict(), "batch_id": batch_id})
    if webhook is not None:
        add_delivery(connection, sql, lease.seq, time, values=request.values, error=request.error)
    if batch_id is None:
        return FinishResult(promoted, webhook is not None)
    held, called = connection.execute(sql["batch_after_end"], (batch_id,)).fetchone() or (0, 0)
    return FinishResult(promoted + held, webhook is not None or bool(called))


def _settled(request: FinishRequest) -> str:
    if request.status in ("error", "timeout"):
        return "error"
    return "interrupted" if request.paused else "idle"
