"""How runs are accepted, on SQLite: the steps within one transaction."""

from collections.abc import Sequence
from typing import Any

import orjson

from runyard.generated.models import Run
from runyard.runtime.errors import Conflict, Forbidden, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import CancelAction, CancelResult, InsertResult, Lane, NewRun
from runyard.runtime.storage.rows.prepared_runs import BUSY, NO_THREAD, PreparedRun, created_run, kept_with_thread
from runyard.runtime.storage.rows.rows import expiry_columns, iso_time
from runyard.runtime.storage.shared.insertion import Insertion
from runyard.runtime.storage.shared.removal import refuse_leftovers
from runyard.runtime.storage.shared.scoping import shows_thread
from runyard.runtime.storage.sql.fetching import fetch_dict
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.database.many_rows import insert_rows
from runyard.runtime.storage.sqlite.runs.cancellation import cancel_run


def insert_runs(connection: Connection, sql: Queries, scope: Scope, prepared: Sequence[PreparedRun]) -> InsertResult:
    """Writes the runs in order. Raises NotFound or Conflict; the transaction is then to be undone."""
    runs: list[Run] = []
    threads: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    cancelled = CancelResult()
    ready = 0
    for each in prepared:
        row, created = each.row, each.created
        if each.thread is not None:
            threads.append(each.thread)
        else:
            _write(connection, sql, threads, rows)  # on this thread there may be runs of the same batch
            time = now()
            metadata, waits = _join_thread(connection, sql, scope, each.new_run, time, cancelled)
            row = {**row, "metadata": orjson.dumps(metadata).decode(), "now": time}
            if waits and row["due"] is None:
                row["queue"] = "waiting"
            created = created_run(each.new_run, metadata, iso_time(time), row["batch_id"])
        ready += row["queue"] == "ready" and row["lane"] != Lane.HELD
        rows.append(row)
        assert created is not None
        runs.append(created)
    _write(connection, sql, threads, rows)
    return InsertResult(runs, ready, cancelled)


def _write(connection: Connection, sql: Queries, threads: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    insert_rows(connection, sql["insert_thread"], threads)
    insert_rows(connection, sql["insert_run"], rows)
    threads.clear()
    rows.clear()


def _join_thread(
    connection: Connection, sql: Queries, scope: Scope, new_run: NewRun, time: int, cancelled: CancelResult
) -> tuple[dict[str, Any], bool]:
    """Puts a run on an existing thread: its metadata, and whether it has to wait."""
    row = fetch_dict(connection, sql["thread"], (new_run.thread_id,))
    if row is None:
        if not new_run.create_thread:
            raise NotFound(NO_THREAD)
        refuse_leftovers(connection, sql, new_run.thread_id)
        row = {"metadata": orjson.dumps(kept_with_thread(new_run.metadata)).decode()}
        connection.execute(
            sql["insert_thread"],
            {
                "thread_id": new_run.thread_id,
                "now": time,
                "status": "idle",
                "metadata": row["metadata"],
                "graph_id": new_run.graph_id,
                "temporary": False,
                "creator": scope.identity,
                **expiry_columns(new_run.expiry),
            },
        )
    elif not shows_thread(connection, scope, new_run.thread_id):
        raise NotFound(NO_THREAD)  # and none can be made under this id
    elif row["temporary"]:
        # It is more than its first run's now, whatever becomes of that one.
        connection.execute(
            sql["keep_temporary_thread"], {"thread_id": new_run.thread_id, **expiry_columns(new_run.expiry)}
        )
    if new_run.strategy != "enqueue":
        _apply_strategy(connection, sql, new_run, time, cancelled)
    ahead = connection.execute(sql["runs_ahead"], {"thread_id": new_run.thread_id}).fetchone()
    thread_metadata = {
        **orjson.loads(row["metadata"]),
        "graph_id": new_run.graph_id,
        "assistant_id": new_run.assistant_id,
    }
    connection.execute(
        sql["occupy_thread"],
        {
            "thread_id": new_run.thread_id,
            "now": time,
            "graph_id": new_run.graph_id,
            "metadata": orjson.dumps(thread_metadata).decode(),
        },
    )
    if not shows_thread(connection, scope, new_run.thread_id):
        raise Forbidden("assistant_id: the thread would be out of your reach with a run of this assistant")
    return {**new_run.assistant_metadata, **thread_metadata, **new_run.metadata}, ahead is not None


def _apply_strategy(connection: Connection, sql: Queries, new_run: NewRun, time: int, cancelled: CancelResult) -> None:
    """Deals with the other runs of the thread as the multitask strategy says; runs that are to start later count
    too (observed). Raises Conflict for `reject`."""
    active = connection.execute(sql["active_runs"], (new_run.thread_id,)).fetchall()
    if active and new_run.strategy == "reject":
        raise Conflict(BUSY)
    action: CancelAction = "interrupt" if new_run.strategy == "interrupt" else "rollback"
    _cancel_runs(connection, sql, active, action, time, cancelled)


def _cancel_runs(
    connection: Connection,
    sql: Queries,
    runs: Sequence[tuple[int, str]],
    action: CancelAction,
    time: int,
    result: CancelResult,
) -> None:
    for seq, run_id in runs:
        cancel_run(connection, sql, seq, run_id, action, time, result)


INSERTION = Insertion(insert_runs, _cancel_runs)
