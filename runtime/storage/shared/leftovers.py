"""Deleting what may be much, on every backend: the steps within one transaction, each in pieces until a slice of time
is over.

A thread that is deleted is invisible at once, whatever it had. What is left of it then is noted in `discarded_threads`,
and removed by and by, also after a crash; its id can be used again when that is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from runyard.runtime.storage.port.threads import Leftovers
from runyard.runtime.storage.shared.removal import LeftBehind, remove_thread
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database, Statements
from runyard.runtime.storage.time_slice import TimeSlice

T = TypeVar("T")
C = TypeVar("C", bound=Statements)


async def write_without_leftovers(
    database: Database[C], sql: Queries, work: Callable[[C], T], locks: Iterable[str]
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
    connection: Statements, sql: Queries, thread_id: str, time_slice: TimeSlice, *, with_runs: bool
) -> list[str]:
    """Removes what belongs to a thread whose row was deleted, and notes what is left to be removed. Nobody executes its
    runs from now on. Returns those that had not ended, as far as they were removed."""
    active: list[str] = []
    if with_runs:
        active += [run_id for (run_id,) in connection.execute(sql["fence_runs_of_thread"], (thread_id,)).fetchall()]
    if time_slice.over or not remove_thread(connection, sql, thread_id, time_slice, active, with_runs=with_runs):
        connection.execute(sql["note_discarded"], (thread_id, with_runs, connection.now))
    return active


def remove_leftovers(connection: Statements, sql: Queries, thread_id: str | None = None) -> Leftovers:
    """Removes some of what is left of discarded threads, or of one of them."""
    time_slice = TimeSlice(connection.slices)
    removed = Leftovers(more=False)
    found = sql["next_discarded" if thread_id is None else "this_discarded"]
    while (row := connection.execute(found, {"thread_id": thread_id, "now": connection.now}).fetchone()) is not None:
        if not remove_thread(connection, sql, row[0], time_slice, removed.runs, with_runs=row[1]):
            return Leftovers(more=True, runs=removed.runs)
        connection.execute(sql["forget_discarded"], (row[0],))
    return removed
