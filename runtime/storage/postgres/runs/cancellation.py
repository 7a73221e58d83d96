"""Runs that end without their graph's doing, on Postgres: the steps within one transaction, which holds the thread's
lock. What is the same on every backend: `RunEnds`."""

from collections.abc import Sequence

from runyard.runtime.lifecycle import CANCELLED
from runyard.runtime.storage.port.runs import CancelAction, CancelResult
from runyard.runtime.storage.postgres.checkpoints.checkpoint_rows import write_rows
from runyard.runtime.storage.postgres.database.connection import SLICES, Connection
from runyard.runtime.storage.postgres.leases import requested_cancel
from runyard.runtime.storage.rows.deliveries import add_delivery
from runyard.runtime.storage.shared.leftovers import discard_thread
from runyard.runtime.storage.shared.run_ends import RunEnds
from runyard.runtime.storage.sql.queries import Queries
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


def _free_thread(connection: Connection, sql: Queries, thread_id: str, time: int) -> int:
    return free_threads(connection, sql, [thread_id], time)


ENDS = RunEnds(write_rows, requested_cancel, _free_thread)
end_cancelled = ENDS.end_cancelled
end_unfinished = ENDS.end_unfinished
release_run = ENDS.release_run
roll_back_run = ENDS.roll_back_run
