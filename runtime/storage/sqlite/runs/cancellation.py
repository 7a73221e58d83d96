"""Runs that end without their graph's doing, on SQLite: the steps within one transaction. What is the same on every
backend: `RunEnds`."""

from runyard.runtime.storage.port.runs import CancelAction, CancelResult
from runyard.runtime.storage.shared.leftovers import discard_thread
from runyard.runtime.storage.shared.run_ends import RunEnds
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.checkpoints.checkpoint_rows import write_rows
from runyard.runtime.storage.sqlite.database.connection import Connection
from runyard.runtime.storage.sqlite.leases import requested_cancel
from runyard.runtime.storage.time_slice import TimeSlice


def cancel_run(
    connection: Connection,
    sql: Queries,
    seq: int,
    run_id: str,
    action: CancelAction,
    time: int,
    result: CancelResult,
    reason: str | None = None,
) -> None:
    """Ends a pending run, or removes it, or flags a running one, and notes in `result` what it was. Passes over a
    run that has ended."""
    given = {"seq": seq, "action": action, "reason": reason, "now": time}
    flagged = connection.execute(sql["request_cancel"], given).fetchone()
    if flagged is not None:
        (result.requested[run_id],) = flagged
        return
    row = connection.execute(sql["pending_run"], (seq,)).fetchone()
    if row is None:
        return
    thread_id, attempt = row
    result.ended.append(run_id)
    # One that was given back to the queue has begun already, and may have left something.
    end_cancelled(connection, sql, seq, run_id, thread_id, action, time, result, begun=attempt > 0, reason=reason)


def free_thread(connection: Connection, sql: Queries, thread_id: str, time: int) -> int:
    """What follows when a run has left its thread without changing it: the next one is promoted, the thread shows
    its earlier status again, and a temporary thread without runs is removed. Returns how many runs became ready."""
    parameters = {"thread_id": thread_id, "now": time}
    promoted = connection.execute(sql["promote"], parameters).fetchall()
    if connection.execute(sql["delete_temporary_thread"], parameters).rowcount:
        discard_thread(connection, sql, thread_id, TimeSlice(), with_runs=False)
    else:
        connection.execute(sql["restore_thread_status"], parameters)
    return len(promoted)


ENDS = RunEnds(write_rows, requested_cancel, free_thread)
end_cancelled = ENDS.end_cancelled
end_unfinished = ENDS.end_unfinished
release_run = ENDS.release_run
roll_back_run = ENDS.roll_back_run
