"""Runs that end without their graph's doing, on SQLite, and what follows for their threads: the steps within one
transaction."""

import sqlite3

from runyard.runtime.lifecycle import CANCELLED, ROLLED_BACK
from runyard.runtime.storage.port.runs import CancelAction, CancelResult
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.sqlite.checkpoints import delete_checkpoints_of_run
from runyard.runtime.storage.sqlite.deliveries import add_delivery
from runyard.runtime.storage.sqlite.leftovers import discard_thread
from runyard.runtime.storage.sqlite.time_slice import TimeSlice


def cancel_run(
    connection: sqlite3.Connection,
    sql: Queries,
    seq: int,
    run_id: str,
    action: CancelAction,
    time: int,
    result: CancelResult,
) -> None:
    """Ends a pending run, or removes it, or flags a running one, and notes in `result` what it was. Passes over a
    run that has ended."""
    flagged = connection.execute(sql["request_cancel"], {"seq": seq, "action": action, "now": time}).fetchone()
    if flagged is not None:
        (result.requested[run_id],) = flagged
        return
    name = "end_pending" if action == "interrupt" else "delete_pending"
    answer = CANCELLED if action == "interrupt" else ROLLED_BACK
    row = connection.execute(sql[name], {"seq": seq, "answer": answer, "now": time}).fetchone()
    if row is None:
        return
    result.ended.append(run_id)
    if action == "interrupt" and row[1] is not None:
        add_delivery(connection, sql, seq, time)
    result.promoted += free_thread(connection, sql, row[0], time)


def roll_back_run(connection: sqlite3.Connection, sql: Queries, seq: int, thread_id: str, time: int) -> int:
    """Removes a run and what it wrote; the thread is what it was before. Returns how many runs became ready."""
    (run_id,) = connection.execute(sql["roll_back_run"], (seq,)).fetchone()
    connection.execute(sql["delete_events"], (run_id,))
    delete_checkpoints_of_run(connection, sql, thread_id, run_id)
    return free_thread(connection, sql, thread_id, time)


def free_thread(connection: sqlite3.Connection, sql: Queries, thread_id: str, time: int) -> int:
    """What follows when a run has left its thread without changing it: the next one is promoted, the thread shows
    its earlier status again, and a temporary thread without runs is removed. Returns how many runs became ready."""
    parameters = {"thread_id": thread_id, "now": time}
    promoted = connection.execute(sql["promote"], parameters).fetchall()
    if connection.execute(sql["delete_temporary_thread"], parameters).rowcount:
        discard_thread(connection, sql, thread_id, TimeSlice(), with_runs=False)
    else:
        connection.execute(sql["restore_thread_status"], parameters)
    return len(promoted)
