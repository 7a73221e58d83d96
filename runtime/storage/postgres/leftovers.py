"""Deleting what may be much, on Postgres: the steps within one transaction, each in pieces until a slice of time is
over.

A thread that is deleted is invisible at once, whatever it had. What is left of it then is noted in `discarded_threads`,
and removed by and by, also after a crash; its id can be used again when that is done.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from runyard.runtime.storage.port.threads import Leftovers
from runyard.runtime.storage.postgres.connection import SLICES, Connection
from runyard.runtime.storage.postgres.database import Database
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.time_slice import PIECE, TimeSlice

T = TypeVar("T")


class LeftBehind(Exception):
    """The id of a thread that is to be made belongs to a deleted one of which something is left."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(thread_id)
        self.thread_id = thread_id


def refuse_leftovers(connection: Connection, sql: Queries, thread_id: str) -> None:
    """In front of making a thread. Raises LeftBehind."""
    if connection.execute(sql["discarded_thread"], (thread_id,)).fetchone() is not None:
        raise LeftBehind(thread_id)


async def write_without_leftovers(
    database: Database, sql: Queries, work: Callable[[Connection], T], locks: Iterable[str]
) -> T:
    """Writes `work`, which makes a thread, after the end of one that was deleted under the same id."""
    names = list(locks)
    while True:
        try:
            return await database.write(work, locks=names)
        except LeftBehind as left:
            thread_id = left.thread_id
        step = partial(remove_leftovers, sql=sql, thread_id=thread_id)
        while (await database.write(step)).more:
            pass


def discard_thread(
    connection: Connection, sql: Queries, thread_id: str, time_slice: TimeSlice, *, with_runs: bool
) -> list[str]:
    """Removes what belongs to a thread whose row was deleted, and notes what is left to be removed. Nobody executes its
    runs from now on. Returns those that had not ended, as far as they were removed."""
    active: list[str] = []
    if with_runs:
        active += [run_id for (run_id,) in connection.execute(sql["fence_runs_of_thread"], (thread_id,)).fetchall()]
    if time_slice.over or not _remove(connection, sql, thread_id, time_slice, active, with_runs=with_runs):
        connection.execute(sql["note_discarded"], (thread_id, with_runs, connection.now))
    return active


def remove_leftovers(connection: Connection, sql: Queries, thread_id: str | None = None) -> Leftovers:
    """Removes some of what is left of discarded threads, or of one of them."""
    time_slice = TimeSlice(SLICES)
    removed = Leftovers(more=False)
    found = sql["next_discarded" if thread_id is None else "this_discarded"]
    while (row := connection.execute(found, {"thread_id": thread_id, "now": connection.now}).fetchone()) is not None:
        if not _remove(connection, sql, row[0], time_slice, removed.runs, with_runs=row[1]):
            return Leftovers(more=True, runs=removed.runs)
        connection.execute(sql["forget_discarded"], (row[0],))
    return removed


def _remove(
    connection: Connection,
    sql: Queries,
    thread_id: str,
    time_slice: TimeSlice,
    active: list[str],
    *,
    with_runs: bool,
) -> bool:
    """Whether nothing is left. Runs that had not ended are added to `active`."""
    if with_runs and not (
        remove_in_pieces(connection, sql["remove_crons_of_thread"], {"thread_id": thread_id}, time_slice)
        and remove_in_pieces(connection, sql["remove_thread_events"], {"thread_id": thread_id}, time_slice)
        and _remove_runs(connection, sql, thread_id, time_slice, active)
    ):
        return False
    return remove_checkpoints(connection, sql, thread_id, time_slice)


def _remove_runs(
    connection: Connection, sql: Queries, thread_id: str, time_slice: TimeSlice, active: list[str]
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


def remove_events(connection: Connection, sql: Queries, run_id: str, time_slice: TimeSlice) -> bool:
    """Removes the stored events of a run; whether none is left."""
    return remove_in_pieces(connection, sql["remove_events"], {"run_id": run_id}, time_slice)


def remove_checkpoints(connection: Connection, sql: Queries, thread_id: str, time_slice: TimeSlice) -> bool:
    """Removes checkpoints, channel values and pending writes of a thread; whether none is left."""
    connection.execute(sql["delete_replaced_writes"], (thread_id,))  # those of one run: few
    return all(
        remove_in_pieces(connection, sql[name], {"thread_id": thread_id}, time_slice)
        for name in ("remove_checkpoints", "remove_blobs", "remove_writes")
    )


def remove_history(
    connection: Connection, sql: Queries, thread_id: str, checkpoints: str, blobs: str, time_slice: TimeSlice
) -> bool:
    """Removes checkpoints, pending writes and channel values of a thread but those named in the JSON arrays; whether no
    other is left. Values go last, and checkpoints from the newest on: what is left of a history can be read."""
    connection.execute(sql["delete_replaced_writes"], (thread_id,))
    return all(
        remove_in_pieces(connection, sql[name], {"thread_id": thread_id, "kept": kept}, time_slice)
        for name, kept in (("drop_checkpoints", checkpoints), ("drop_writes", checkpoints), ("drop_blobs", blobs))
    )


def remove_in_pieces(connection: Connection, statement: str, parameters: dict[str, str], time_slice: TimeSlice) -> bool:
    """Runs a statement that removes up to `:limit` rows until there are no more; whether none is left."""
    while connection.execute(statement, {**parameters, "limit": PIECE}).rowcount == PIECE:
        if time_slice.over:
            return False
    return True
