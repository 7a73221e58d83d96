"""Runs that end without their graph's doing, on Postgres, and what follows for their threads: the steps within one
transaction, which holds the thread's lock."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from runyard.runtime.lifecycle import CANCELLED
from runyard.runtime.storage.checkpoint_rows import undo_checkpoints_of_run
from runyard.runtime.storage.delivery_rows import add_delivery
from runyard.runtime.storage.leftovers import discard_thread
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.queue import FinishResult, Lease
from runyard.runtime.storage.port.runs import CancelAction, CancelResult, FinalStatus
from runyard.runtime.storage.port.workers import EndedRun, EndedRuns
from runyard.runtime.storage.postgres.checkpoint_rows import write_rows
from runyard.runtime.storage.postgres.connection import SLICES, Connection
from runyard.runtime.storage.postgres.leases import requested_cancel
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.time_slice import TimeSlice


def cancel_runs(
    connection: Connection,
    sql: Queries,
    seqs: Sequence[int],
    action: CancelAction,
    time: int,
    result: CancelResult,
    reason: str | None = None,
) -> None:
    """Ends pending runs, or removes them, and flags running ones; notes in `result` what they were. Passes over those
    that have ended. In few statements, however many they are, as long as the pending ones have not begun."""
    if not seqs:
        return
    given = {"seqs": list(seqs), "action": action, "reason": reason, "answer": CANCELLED, "now": time}
    connection.execute(sql["lock_runs"], (given["seqs"],))
    result.requested.update(connection.execute(sql["request_cancels"], given).fetchall())
    if action == "interrupt":
        ended = sorted(connection.execute(sql["end_unbegun"], given).fetchall())
        for seq, run_id, _, webhook in ended:
            result.ended.append(run_id)
            if webhook is not None:
                add_delivery(connection, sql, seq, time)
                result.webhook = True
        result.promoted += free_threads(connection, sql, [thread_id for _, _, thread_id, _ in ended], time)
    # One that was given back to the queue has begun already, and may have left something.
    for seq, run_id, thread_id, attempt in connection.execute(sql["pending_runs"], given).fetchall():
        result.ended.append(run_id)
        end_cancelled(connection, sql, seq, run_id, thread_id, action, time, result, begun=attempt > 0, reason=reason)


def end_cancelled(
    connection: Connection,
    sql: Queries,
    seq: int,
    run_id: str,
    thread_id: str,
    action: CancelAction,
    time: int,
    result: CancelResult,
    *,
    begun: bool = True,
    reason: str | None = None,
) -> None:
    """Ends a run that has not ended, or removes it, without a word from the worker that may have it; what follows is
    noted in `result`. `begun`: it may have written something. `reason`: why, unless that is noted already."""
    if action == "rollback":
        result.promoted += roll_back_run(connection, sql, seq, thread_id, time, begun=begun)
        return
    given = {"seq": seq, "answer": CANCELLED, "reason": reason, "now": time}
    row = connection.execute(sql["end_interrupted"], given).fetchone()
    assert row is not None
    (webhook,) = row
    if webhook is not None:
        add_delivery(connection, sql, seq, time)
        result.webhook = True
    if begun:
        connection.execute(sql["interrupt_thread"], {"thread_id": thread_id, "run_id": run_id})
        connection.execute(sql["leave_unsettled"], ("interrupted", thread_id))
    result.promoted += free_threads(connection, sql, [thread_id], time)


def end_unfinished(
    connection: Connection,
    sql: Queries,
    row: Mapping[str, Any],
    status: FinalStatus,
    answer: bytes,
    result: EndedRuns,
    *,
    begun: bool = True,
) -> None:
    """Ends a run that has not ended with an error, without a word from the worker that may have it; what follows is
    noted in `result`. `begun`: it may have written something."""
    time, seq, thread_id = connection.now, row["seq"], row["thread_id"]
    ended = connection.execute(
        sql["end_without_worker"],
        {"seq": seq, "status": status, "crashed": status != "timeout", "answer": answer, "now": time},
    ).fetchone()
    assert ended is not None
    (webhook,) = ended
    error = orjson.dumps(orjson.loads(answer)["__error__"])
    if webhook is not None:
        add_delivery(connection, sql, seq, time, error=error)
        result.webhook = True
    connection.execute(sql["fail_thread"], (error, thread_id))
    if begun:
        connection.execute(sql["leave_unsettled"], ("error", thread_id))
    result.promoted += free_threads(connection, sql, [thread_id], time)
    result.ended.append(EndedRun(row["run_id"], thread_id, status))


def release_run(
    connection: Connection, sql: Queries, lease: Lease, rows: Sequence[CheckpointRow | WriteRow], time: int
) -> FinishResult | None:
    """Gives a run back to the queue, with what it has reached; one that was asked to stop ends instead, and what that
    brought about is returned. Raises LeaseLost."""
    given = {"seq": lease.seq, "worker": lease.worker, "attempt": lease.attempt, "token": lease.token, "now": time}
    if connection.execute(sql["release"], given).rowcount:
        write_rows(connection, sql, rows)
        return None
    action = requested_cancel(connection, sql, lease)
    assert action is not None
    write_rows(connection, sql, rows)
    result = CancelResult()
    end_cancelled(connection, sql, lease.seq, lease.run_id, lease.thread_id, action, time, result)
    return FinishResult(result.promoted, result.webhook, action)


def roll_back_run(
    connection: Connection, sql: Queries, seq: int, thread_id: str, time: int, *, begun: bool = True
) -> int:
    """Removes a run and what it wrote; the thread is what it was before. Returns how many runs became ready."""
    row = connection.execute(sql["roll_back_run"], (seq,)).fetchone()
    assert row is not None
    (run_id,) = row
    if begun:
        connection.execute(sql["delete_events"], (run_id,))
        undo_checkpoints_of_run(connection, sql, thread_id, run_id)
    _restore_graph(connection, sql, thread_id)
    promoted = free_threads(connection, sql, [thread_id], time)
    connection.execute(sql["forget_numbers"], {"thread_id": thread_id})
    return promoted


def _restore_graph(connection: Connection, sql: Queries, thread_id: str) -> None:
    """A thread names the graph of its latest run, by which its state is read."""
    latest = connection.execute(sql["latest_run_of_thread"], (thread_id,)).fetchone()
    thread = connection.execute(sql["thread_metadata"], (thread_id,)).fetchone()
    if latest is None or thread is None:
        return
    graph_id, assistant_id = latest
    before = orjson.loads(thread[0])
    metadata = {**before, "graph_id": graph_id, "assistant_id": assistant_id}
    if metadata != before:
        connection.execute(
            sql["restore_thread_graph"],
            {"thread_id": thread_id, "graph_id": graph_id, "metadata": orjson.dumps(metadata).decode()},
        )


def free_threads(connection: Connection, sql: Queries, thread_ids: Sequence[str], time: int) -> int:
    """What follows when runs have left their threads without changing them: the next one of each is promoted, the
    threads show their earlier status again, and temporary ones without runs are removed. Returns how many runs became
    ready."""
    if not thread_ids:
        return 0
    threads = sorted(set(thread_ids))
    promoted = connection.execute(sql["promote"], {"thread_ids": threads, "now": time}).fetchall()
    time_slice = TimeSlice(SLICES)
    removed = {thread_id for (thread_id,) in connection.execute(sql["delete_temporary_threads"], (threads,)).fetchall()}
    for thread_id in removed:
        discard_thread(connection, sql, thread_id, time_slice, with_runs=False)
    if kept := [thread_id for thread_id in threads if thread_id not in removed]:
        connection.execute(sql["restore_thread_statuses"], {"thread_ids": kept, "now": time})
    return len(promoted)
