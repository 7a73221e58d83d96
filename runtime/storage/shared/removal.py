"""Removing what may be much, on every backend: the steps within one transaction, each in pieces until a slice of time
is over."""

from __future__ import annotations

from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Statements
from runyard.runtime.storage.time_slice import PIECE, TimeSlice


class LeftBehind(Exception):
    """The id of a thread that is to be made belongs to a deleted one of which something is left."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(thread_id)
        self.thread_id = thread_id


def refuse_leftovers(connection: Statements, sql: Queries, thread_id: str) -> None:
    """In front of making a thread. Raises LeftBehind."""
    if connection.execute(sql["discarded_thread"], (thread_id,)).fetchone() is not None:
        raise LeftBehind(thread_id)


def remove_thread(
    connection: Statements,
    sql: Queries,
    thread_id: str,
    time_slice: TimeSlice,
    active: list[str],
    *,
    with_runs: bool,
) -> bool:
    """Removes what belongs to a thread whose row was deleted; whether nothing is left. Runs that had not ended are
    added to `active`."""
    if with_runs and not (
        remove_in_pieces(connection, sql["remove_crons_of_thread"], {"thread_id": thread_id}, time_slice)
        and remove_in_pieces(connection, sql["remove_thread_events"], {"thread_id": thread_id}, time_slice)
        and _remove_runs(connection, sql, thread_id, time_slice, active)
    ):
        return False
    return remove_checkpoints(connection, sql, thread_id, time_slice)


def _remove_runs(
    connection: Statements, sql: Queries, thread_id: str, time_slice: TimeSlice, active: list[str]
) -> bool:
    while runs := connection.execute(sql["runs_of_discarded_thread"], (thread_id, PIECE)).fetchall():
        for seq, run_id, queue in runs:
            connection.execute(sql["remove_run"], (seq,))
            if queue is not None:
                active.append(run_id)
            if time_slice.over:
                return False
    connection.execute(sql["forget_numbers"], {"thread_id": thread_id})
    return True


def remove_events(connection: Statements, sql: Queries, run_id: str, time_slice: TimeSlice) -> bool:
    """Removes the stored events of a run; whether none is left."""
    return remove_in_pieces(connection, sql["remove_events"], {"run_id": run_id}, time_slice)


def remove_checkpoints(connection: Statements, sql: Queries, thread_id: str, time_slice: TimeSlice) -> bool:
    """Removes checkpoints, channel values and pending writes of a thread; whether none is left."""
    connection.execute(sql["delete_replaced_writes"], (thread_id,))  # those of one run: few
    return all(
        remove_in_pieces(connection, sql[name], {"thread_id": thread_id}, time_slice)
        for name in ("remove_checkpoints", "remove_blobs", "remove_writes")
    )


def remove_history(
    connection: Statements, sql: Queries, thread_id: str, checkpoints: str, blobs: str, time_slice: TimeSlice
) -> bool:
    """Removes checkpoints, pending writes and channel values of a thread but those named in the JSON arrays; whether no
    other is left. Values go last, and checkpoints from the newest on: what is left of a history can be read."""
    connection.execute(sql["delete_replaced_writes"], (thread_id,))
    return all(
        remove_in_pieces(connection, sql[name], {"thread_id": thread_id, "kept": kept}, time_slice)
        for name, kept in (("drop_checkpoints", checkpoints), ("drop_writes", checkpoints), ("drop_blobs", blobs))
    )


def remove_in_pieces(connection: Statements, statement: str, parameters: dict[str, str], time_slice: TimeSlice) -> bool:
    """Runs a statement that removes up to `limit` rows until there are no more; whether none is left."""
    while connection.execute(statement, {**parameters, "limit": PIECE}).rowcount == PIECE:
        if time_slice.over:
            return False
    return True
