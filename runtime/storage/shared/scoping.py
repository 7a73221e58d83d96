"""What lies outside the scope of a call is as if it were not there, on every backend.

Without a filter nothing is looked at. With one, the row that decides is looked at in the transaction of the call, in
front of what the call does: so calls with a scope are made in a transaction. Searches have the filter among their
conditions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from runyard.runtime.scope import Scope
from runyard.runtime.storage.sql.conditions import Conditions
from runyard.runtime.storage.sql.statements import Statements

T = TypeVar("T")
C = TypeVar("C", bound=Statements)

METADATA_OF_RUN = (
    # A temporary run outlives its thread for a while.
    "coalesce((select metadata from threads where threads.thread_id = runs.thread_id), runs.metadata)"
)
"""What decides whether a run is in scope."""


def shows_thread(connection: Statements, scope: Scope, thread_id: str) -> bool:
    """Whether a thread that there may be is in scope."""
    return _shows(connection, scope, "threads", "metadata", thread_id)


def shows_run(connection: Statements, scope: Scope, run_id: str) -> bool:
    """Whether a run that there may be is in scope: its thread is."""
    return _shows(connection, scope, "runs", METADATA_OF_RUN, run_id)


def shows_assistant(connection: Statements, scope: Scope, assistant_id: str, *, reading: bool) -> bool:
    """Whether an assistant that there may be is in scope; a graph's own may be read in each, and changed where nobody
    has decided what may be changed."""
    if reading:
        return _shows(connection, scope, "assistants", "metadata", assistant_id, "system")
    return _shows(connection, scope, "assistants", "metadata", assistant_id) and not (
        scope.decided and _is_system(connection, assistant_id)
    )


def _is_system(connection: Statements, assistant_id: str) -> bool:
    where = connection.conditions("system")
    where.equal("assistant_id", assistant_id)
    return connection.execute(f"select 1 from assistants {where}", where.parameters).fetchone() is not None


def shows_cron(connection: Statements, scope: Scope, cron_id: str) -> bool:
    """Whether a cron that there may be is in scope."""
    return _shows(connection, scope, "crons", "metadata", cron_id)


def shows_batch(connection: Statements, scope: Scope, batch_id: str) -> bool:
    """Whether a batch that there may be is in scope."""
    return _shows(connection, scope, "batches", "metadata", batch_id)


def shows_item(connection: Statements, scope: Scope, batch_id: str, index: int, run_id: str) -> bool:
    """Whether an item of a batch is in scope: its run is, or what is left of that."""
    if not scope.filter or shows_run(connection, scope, run_id):
        return True
    where = connection.conditions()
    where.equal("batch_id", batch_id)
    where.equal("batch_index", index)
    where.equal("run_id", run_id)
    where.within(scope, "removed_items.metadata")
    return connection.execute(f"select 1 from removed_items {where}", where.parameters).fetchone() is not None


def _shows(
    connection: Statements, scope: Scope, table: str, metadata: str, row_id: str, always: str | None = None
) -> bool:
    if not scope.filter:
        return True
    where = connection.conditions()
    where.equal("batch_id" if table == "batches" else f"{table.removesuffix('s')}_id", row_id)
    where.within(scope, metadata, always)
    return connection.execute(f"select 1 from {table} {where}", where.parameters).fetchone() is not None


def on_thread(scope: Scope, thread_id: str, work: Callable[[C], T]) -> Callable[[C], T | None]:
    """What `work` returns; None for a thread outside the scope."""
    return _if_shown(scope, lambda connection: shows_thread(connection, scope, thread_id), work)


def on_run(scope: Scope, run_id: str, work: Callable[[C], T]) -> Callable[[C], T | None]:
    """What `work` returns; None for a run outside the scope."""
    return _if_shown(scope, lambda connection: shows_run(connection, scope, run_id), work)


def on_batch(scope: Scope, batch_id: str, work: Callable[[C], T]) -> Callable[[C], T | None]:
    """What `work` returns; None for a batch outside the scope."""
    return _if_shown(scope, lambda connection: shows_batch(connection, scope, batch_id), work)


def on_assistant(scope: Scope, assistant_id: str, work: Callable[[C], T], *, reading: bool) -> Callable[[C], T | None]:
    """What `work` returns; None for an assistant outside the scope."""
    return _if_shown(scope, lambda connection: shows_assistant(connection, scope, assistant_id, reading=reading), work)


def on_cron(scope: Scope, cron_id: str, work: Callable[[C], T]) -> Callable[[C], T | None]:
    """What `work` returns; None for a cron outside the scope."""
    return _if_shown(scope, lambda connection: shows_cron(connection, scope, cron_id), work)


def _if_shown(scope: Scope, shown: Callable[[C], bool], work: Callable[[C], T]) -> Callable[[C], T | None]:
    if not scope.filter and not scope.decided:
        return work

    def guarded(connection: C) -> T | None:
        return work(connection) if shown(connection) else None

    return guarded


def add_scope_of_threads(where: Conditions, scope: Scope, column: str) -> None:
    """The column is the id of a thread in scope."""
    if scope.filter:
        of_thread = type(where)(f"scoped.thread_id = {column}")
        of_thread.within(scope, "scoped.metadata")
        where.add(f"exists (select 1 from threads as scoped {of_thread})", *of_thread.parameters)
