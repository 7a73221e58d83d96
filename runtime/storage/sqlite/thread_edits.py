"""How threads are made, changed and deleted, on SQLite: the steps within one transaction."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from runyard.runtime.errors import Conflict, NotFound
from runyard.runtime.storage.port.checkpoints import KeptCheckpoint
from runyard.runtime.storage.port.threads import DeletedThreads, Expiry, IfExists, NewThread, StateEdit
from runyard.runtime.storage.sqlite.checkpoints import (
    copy_checkpoints,
    delete_checkpoints_of_thread,
    keep_checkpoints,
    write_rows,
)
from runyard.runtime.storage.sqlite.database import now

Queries = Mapping[str, str]


def create_thread(connection: sqlite3.Connection, sql: Queries, draft: NewThread, if_exists: IfExists) -> None:
    if connection.execute(sql["thread"], (draft.thread_id,)).fetchone() is not None:
        if if_exists == "raise":
            raise Conflict(f"Thread with ID {draft.thread_id} already exists")
        return
    connection.execute(
        sql["insert_thread"],
        {
            "thread_id": draft.thread_id,
            "now": now(),
            "status": "idle",
            "metadata": orjson.dumps(draft.metadata).decode(),
            "graph_id": None,
            "temporary": False,
        },
    )
    _set_expiry(connection, draft.thread_id, draft.expiry)
    if draft.edit is not None:
        edit_state(connection, sql, draft.thread_id, draft.edit)


def patch_thread(
    connection: sqlite3.Connection, thread_id: str, metadata: Mapping[str, Any] | None, expiry: Expiry | None
) -> None:
    row = connection.execute("select metadata from threads where thread_id = ?", (thread_id,)).fetchone()
    if row is None:
        return
    merged = {**orjson.loads(row[0]), **(metadata or {})}
    connection.execute(
        "update or fail threads set metadata = ?, updated_at = ? where thread_id = ?",
        (orjson.dumps(merged).decode(), now(), thread_id),
    )
    _set_expiry(connection, thread_id, expiry)


def _set_expiry(connection: sqlite3.Connection, thread_id: str, expiry: Expiry | None) -> None:
    if expiry is not None:
        connection.execute(
            "update threads set ttl_strategy = ?, ttl_minutes = ? where thread_id = ?",
            (expiry.strategy, expiry.minutes, thread_id),
        )


def delete_threads(connection: sqlite3.Connection, thread_ids: Iterable[str]) -> DeletedThreads:
    """Deletes those of the threads that there are, with all that belongs to them. Webhook calls of runs that
    have ended are made all the same."""
    removed = DeletedThreads()
    for thread_id in thread_ids:
        if not connection.execute("delete from threads where thread_id = ?", (thread_id,)).rowcount:
            continue
        removed.threads.append(thread_id)
        runs = connection.execute("delete from runs where thread_id = ? returning run_id, queue", (thread_id,))
        for run_id, queue in runs.fetchall():
            connection.execute("delete from run_events where run_id = ?", (run_id,))
            if queue is not None:
                removed.runs.append(run_id)
        delete_checkpoints_of_thread(connection, thread_id)
    return removed


def copy_thread(connection: sqlite3.Connection, source: str, target: str) -> None:
    """Makes nothing when there is no thread to copy. The copy has no runs: it is as the source was before those
    that are under way."""
    copied = connection.execute(
        "insert or fail into threads (thread_id, created_at, updated_at, state_updated_at, status, settled, metadata, "
        "graph_id, ran, state, interrupts, error) "
        "select ?, ?, ?, ?, settled, settled, metadata, graph_id, ran, state, interrupts, error "
        "from threads where thread_id = ?",
        (target, time := now(), time, time, source),
    )
    if copied.rowcount:
        copy_checkpoints(connection, source, target)


def edit_state(connection: sqlite3.Connection, sql: Queries, thread_id: str, edit: StateEdit) -> None:
    """Raises NotFound, or Conflict when a run is under way or the state is no longer what the edit was made from."""
    if connection.execute(sql["thread"], (thread_id,)).fetchone() is None:
        raise NotFound(f"Thread with ID {thread_id} not found")
    active = [run_id for (run_id,) in connection.execute(sql["runs_ahead"], (thread_id,))]
    if active:
        raise Conflict(
            f"Thread {thread_id} has in-flight runs: {', '.join(active)}. Wait for them to end or cancel them, "
            "then edit the state."
        )
    if edit.base is not None and _latest(connection, thread_id) != edit.base:
        raise Conflict(f"The state of thread {thread_id} was changed by somebody else meanwhile.")
    write_rows(connection, sql, edit.rows)
    connection.execute(
        sql["edit_thread"],
        {
            "thread_id": thread_id,
            "now": now(),
            "settled": "interrupted" if edit.paused else "idle",
            "state": edit.values,
            "interrupts": edit.interrupts,
        },
    )


def _latest(connection: sqlite3.Connection, thread_id: str) -> str:
    """The id of the thread's latest checkpoint; "" if there is none."""
    (latest,) = connection.execute(
        "select max(checkpoint_id) from checkpoints where thread_id = ? and ns = ''", (thread_id,)
    ).fetchone()
    return latest or ""


def keep_latest(
    connection: sqlite3.Connection, sql: Queries, thread_id: str, base: str, kept: Sequence[KeptCheckpoint]
) -> bool:
    """Drops the history of a thread; not (False) while runs are under way or when it has a state newer than `base`."""
    if connection.execute(sql["runs_ahead"], (thread_id,)).fetchone() is not None:
        return False
    if _latest(connection, thread_id) != base:
        return False
    keep_checkpoints(connection, thread_id, kept)
    # Not a change that a user would call one, so updated_at stays.
    updated = connection.execute("update threads set kept_at = state_updated_at where thread_id = ?", (thread_id,))
    return bool(updated.rowcount)
