"""How runs are accepted on threads that are there, or many together, on every backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

from runyard.generated.models import Run
from runyard.runtime.errors import Conflict, Forbidden, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import CancelAction, CancelResult, InsertResult, Lane, NewRun
from runyard.runtime.storage.rows.prepared_runs import BUSY, NO_THREAD, PreparedRun, created_run, kept_with_thread
from runyard.runtime.storage.rows.rows import expiry_columns, iso_time
from runyard.runtime.storage.shared.removal import refuse_leftovers
from runyard.runtime.storage.shared.scoping import shows_thread
from runyard.runtime.storage.sql.fetching import fetch_dict
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database, Statements

C = TypeVar("C", bound=Statements)

CROWD = 50
"""Runs that a transaction cancels for a multitask strategy."""


def _check_nothing(connection: Statements, sql: Queries, prepared: Sequence[PreparedRun]) -> None:
    """Where one process writes, what it has read of assistants is what there is."""


@dataclass(frozen=True)
class Insertion(Generic[C]):
    """What accepts runs, in terms of the steps that a backend takes in its own way.

    insert_rows: runs a statement that inserts a row with each of the rows, in order.
    cancel_runs: ends pending runs, given by number and id, or removes them, and flags running ones, at a time; notes in
        the result what they were.
    check: refuses runs whose assistants are not those that were read for them. Raises AssistantChanged.
    """

    insert_rows: Callable[[C, str, Sequence[Mapping[str, Any]]], None]
    cancel_runs: Callable[[C, Queries, Sequence[tuple[int, str]], CancelAction, int, CancelResult], None]
    check: Callable[[C, Queries, Sequence[PreparedRun]], None] = _check_nothing

    def insert_runs(self, connection: C, sql: Queries, scope: Scope, prepared: Sequence[PreparedRun]) -> InsertResult:
        """Writes runs in order. Raises NotFound or Conflict; the transaction is then to be undone."""
        self.check(connection, sql, prepared)
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
                self._write(connection, sql, threads, rows)  # on this thread there may be runs of the same batch
                time = connection.now
                metadata, waits = self._join_thread(connection, sql, scope, each.new_run, time, cancelled)
                row = {**row, "metadata": orjson.dumps(metadata).decode(), "now": time}
                if waits and row["due"] is None:
                    row["queue"] = "waiting"
                created = created_run(each.new_run, metadata, iso_time(time), row["batch_id"])
            ready += row["queue"] == "ready" and row["lane"] != Lane.HELD
            rows.append(row)
            assert created is not None
            runs.append(created)
        self._write(connection, sql, threads, rows)
        return InsertResult(runs, ready, cancelled)

    def _write(self, connection: C, sql: Queries, threads: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
        self.insert_rows(connection, sql["insert_thread"], threads)
        self.insert_rows(connection, sql["insert_run"], rows)
        threads.clear()
        rows.clear()

    def _join_thread(
        self, connection: C, sql: Queries, scope: Scope, new_run: NewRun, time: int, cancelled: CancelResult
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
            self._apply_strategy(connection, sql, new_run, time, cancelled)
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

    def _apply_strategy(self, connection: C, sql: Queries, new_run: NewRun, time: int, cancelled: CancelResult) -> None:
        """Deals with the other runs of the thread as the multitask strategy says; runs that are to start later count
        too (observed). Raises Conflict for `reject`."""
        active = connection.execute(sql["active_runs"], (new_run.thread_id,)).fetchall()
        if active and new_run.strategy == "reject":
            raise Conflict(BUSY)
        action: CancelAction = "interrupt" if new_run.strategy == "interrupt" else "rollback"
        self.cancel_runs(connection, sql, active, action, time, cancelled)

    async def make_room(
        self, database: Database[C], sql: Queries, scope: Scope, new_runs: Sequence[NewRun]
    ) -> list[CancelResult]:
        """What the multitask strategy of a single run cancels of a thread where very many wait: all but a few, in
        transactions of their own. What follows with the run itself is no more than one transaction may do."""
        results: list[CancelResult] = []
        if len(new_runs) != 1:
            return results
        (new_run,) = new_runs
        if new_run.thread_metadata is not None or new_run.strategy not in ("interrupt", "rollback"):
            return results
        action: CancelAction = "interrupt" if new_run.strategy == "interrupt" else "rollback"

        def crowd(connection: C) -> list[tuple[int, str]]:
            if not shows_thread(connection, scope, new_run.thread_id):
                return []
            return connection.execute(sql["crowd_of_thread"], (new_run.thread_id, CROWD, CROWD)).fetchall()

        def work(connection: C) -> CancelResult:
            result, time = CancelResult(), connection.now
            self.cancel_runs(connection, sql, crowd(connection), action, time, result)
            return result

        while await database.read_in_scope(scope, crowd):
            results.append(await database.write(work, locks=[new_run.thread_id]))
        return results
