"""How threads are made, changed and deleted, on every backend: the steps within one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from runyard.runtime.errors import Conflict, Forbidden, NotFound, StateChanged
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.checkpoints import KeptCheckpoint
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.threads import DeletedThreads, IfExists, NewThread, StateEdit, StateReading
from runyard.runtime.storage.rows.rows import expiry_columns
from runyard.runtime.storage.shared.checkpoints import drop_history
from runyard.runtime.storage.shared.leftovers import discard_thread
from runyard.runtime.storage.shared.removal import refuse_leftovers
from runyard.runtime.storage.shared.scoping import shows_thread
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Statements, lock_rows
from runyard.runtime.storage.time_slice import TimeSlice

C = TypeVar("C", bound=Statements)
WriteRows = Callable[[C, Queries, Iterable[CheckpointRow | WriteRow]], None]
"""How a backend writes rows of checkpoints."""


def create_thread(
    connection: C,
    sql: Queries,
    scope: Scope,
    new_thread: NewThread,
    if_exists: IfExists,
    write_rows: WriteRows[C],
) -> None:
    """Writes the thread and its first state. Raises Conflict when it is there already and `if_exists` is `raise`, or it
    is outside the scope."""
    if connection.execute(sql["thread"], (new_thread.thread_id,)).fetchone() is not None:
        if if_exists == "raise" or not shows_thread(connection, scope, new_thread.thread_id):
            raise Conflict(f"Thread with ID {new_thread.thread_id} already exists")
        return
    refuse_leftovers(connection, sql, new_thread.thread_id)
    connection.execute(
        sql["insert_thread"],
        {
            "thread_id": new_thread.thread_id,
            "now": connection.now,
            "status": "idle",
            "metadata": orjson.dumps(new_thread.metadata).decode(),
            "graph_id": None,
            "temporary": False,
            "creator": scope.identity,
            **expiry_columns(new_thread.expiry),
        },
    )
    if new_thread.edit is not None:
        _edit_state(connection, sql, new_thread.thread_id, new_thread.edit, write_rows)


def patch_thread(
    connection: Statements,
    sql: Queries,
    scope: Scope,
    thread_id: str,
    metadata: Mapping[str, Any] | None,
    expiry: Expiry | None,
) -> None:
    """Merges metadata and sets the lifetime; nothing when there is no such thread. Raises Forbidden when that would
    move it out of scope."""
    row = connection.execute(sql["thread_metadata"], (thread_id,)).fetchone()
    if row is None:
        return
    merged = {**orjson.loads(row[0]), **(metadata or {})}
    connection.execute(sql["set_thread_metadata"], (orjson.dumps(merged).decode(), connection.now, thread_id))
    if not shows_thread(connection, scope, thread_id):
        raise Forbidden("metadata: the thread would be out of your reach with it; leave the keys that make it yours")
    _set_expiry(connection, sql, thread_id, expiry)


def _set_expiry(connection: Statements, sql: Queries, thread_id: str, expiry: Expiry | None) -> None:
    if expiry is not None:
        connection.execute(sql["set_thread_expiry"], (expiry.strategy, expiry.minutes, thread_id))
        connection.execute(sql["forget_postponed"], (thread_id,))


def delete_threads(connection: Statements, sql: Queries, thread_ids: Iterable[str]) -> DeletedThreads:
    """Deletes those of the threads that there are, with all that belongs to them, or notes what is left of that.
    Webhook calls of runs that have ended are made all the same."""
    removed = DeletedThreads()
    time_slice = TimeSlice(connection.slices)
    thread_ids = list(thread_ids)
    if len(thread_ids) > 1:
        lock_rows(connection, sql, "lock_runs_of_threads", (thread_ids,))
    for thread_id in thread_ids:
        if not connection.execute(sql["delete_thread"], (thread_id,)).rowcount:
            continue
        removed.threads.append(thread_id)
        connection.execute(sql["forget_postponed"], (thread_id,))
        removed.runs.extend(discard_thread(connection, sql, thread_id, time_slice, with_runs=True))
    return removed


def edit_state(
    connection: C, sql: Queries, scope: Scope, thread_id: str, edit: StateEdit, write_rows: WriteRows[C]
) -> None:
    """Raises NotFound, Conflict when a run is under way, or StateChanged when the state is no longer what the edit was
    made from."""
    there = connection.execute(sql["thread"], (thread_id,)).fetchone() is not None
    if not there or not shows_thread(connection, scope, thread_id):
        raise NotFound(f"Thread with ID {thread_id} not found")
    _edit_state(connection, sql, thread_id, edit, write_rows)


def _edit_state(connection: C, sql: Queries, thread_id: str, edit: StateEdit, write_rows: WriteRows[C]) -> None:
    active = [run_id for _, run_id in connection.execute(sql["active_runs"], (thread_id,))]
    if active:
        raise Conflict(
            f"Thread {thread_id} has in-flight runs: {', '.join(active[:10])}{', ...' if len(active) > 10 else ''}. "
            "Wait for them to end or cancel them, those that start later too, then edit the state."
        )
    if edit.base is not None and _latest(connection, sql, thread_id) != edit.base:
        raise StateChanged(f"The state of thread {thread_id} was changed by somebody else meanwhile. Send it again.")
    write_rows(connection, sql, edit.rows)
    connection.execute(
        sql["edit_thread"],
        {
            "thread_id": thread_id,
            "now": connection.now,
            "settled": "interrupted" if edit.paused else "idle",
            "state": edit.values,
            "interrupts": edit.interrupts,
        },
    )


def settle(connection: Statements, sql: Queries, thread_id: str, reading: StateReading) -> bool:
    """Has a thread show what was read; not (False) when a run or somebody else has seen to it since."""
    if reading.base is not None and _latest(connection, sql, thread_id) != reading.base:
        return False
    settled = None if reading.paused is None else "interrupted" if reading.paused else "idle"
    shown = {"settled": settled, "state": reading.values, "interrupts": reading.interrupts}
    return bool(
        connection.execute(sql["settle_unsettled"], {"thread_id": thread_id, "now": connection.now, **shown}).rowcount
    )


def _latest(connection: Statements, sql: Queries, thread_id: str) -> str:
    """The id of the thread's latest checkpoint; "" if there is none."""
    (latest,) = connection.execute(sql["latest_checkpoint_id"], (thread_id,)).fetchone()
    return latest or ""


def keep_latest(
    connection: Statements, sql: Queries, thread_id: str, base: str, kept: Sequence[KeptCheckpoint]
) -> bool | None:
    """Drops the history of a thread; not (False) while runs are under way or when it has a state newer than `base`.
    None: some of it is left for another transaction."""
    if connection.execute(sql["runs_ahead"], {"thread_id": thread_id}).fetchone() is not None:
        return False
    if _latest(connection, sql, thread_id) != base:
        return False
    if not drop_history(connection, sql, thread_id, kept):
        return None
    connection.execute(sql["forget_postponed"], (thread_id,))
    return bool(connection.execute(sql["mark_history_dropped"], (thread_id,)).rowcount)
