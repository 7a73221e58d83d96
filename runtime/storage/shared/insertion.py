"""How runs are accepted, on every backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import CancelAction, CancelResult, InsertResult, NewRun
from runyard.runtime.storage.rows.prepared_runs import PreparedRun
from runyard.runtime.storage.shared.scoping import shows_thread
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database, Statements

C = TypeVar("C", bound=Statements)

CROWD = 50
"""Runs that a transaction cancels for a multitask strategy."""


@dataclass(frozen=True)
class Insertion(Generic[C]):
    """What accepts runs, in terms of the steps that a backend takes in its own way.

    insert_runs: writes runs in order. Raises NotFound or Conflict; the transaction is then to be undone.
    cancel_runs: ends pending runs, given by number and id, or removes them, and flags running ones, at a time; notes in
        the result what they were.
    """

    insert_runs: Callable[[C, Queries, Scope, Sequence[PreparedRun]], InsertResult]
    cancel_runs: Callable[[C, Queries, Sequence[tuple[int, str]], CancelAction, int, CancelResult], None]

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
