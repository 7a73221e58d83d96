"""Runs that end without their graph's doing, on every backend, and what follows for their threads: the steps within
one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

from runyard.runtime.lifecycle import CANCELLED
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.queue import FinishResult, Lease
from runyard.runtime.storage.port.runs import CancelAction, CancelResult, FinalStatus
from runyard.runtime.storage.port.workers import EndedRun, EndedRuns
from runyard.runtime.storage.rows.deliveries import add_delivery
from runyard.runtime.storage.shared.checkpoints import undo_checkpoints_of_run
from runyard.runtime.storage.sql.fetching import one
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Statements

C = TypeVar("C", bound=Statements)


@dataclass(frozen=True)
class RunEnds(Generic[C]):
    """What ends runs, in terms of the steps that a backend takes in its own way.

    write_rows: writes rows of checkpoints.
    requested_cancel: what was asked of a run whose lease holds; raises LeaseLost.
    free_thread: what follows, at a time, when a run has left a thread without changing it: the next one is promoted,
        the thread shows its earlier status again, and a temporary thread without runs is removed. Returns how many
        runs became ready.
    """

    write_rows: Callable[[C, Queries, Iterable[CheckpointRow | WriteRow]], None]
    requested_cancel: Callable[[C, Queries, Lease], CancelAction | None]
    free_thread: Callable[[C, Queries, str, int], int]

    def end_cancelled(
        self,
        connection: C,
        sql: Queries,
        seq: int,
        run_id: str,
        thread_id: str,
        action: CancelAction,
        time: int,
        result: CancelResult,
        *,
        begun: bool = True,
        reason: str | None = None,
    ) -> None:
        """Ends a run that has not ended, or removes it, without a word from the worker that may have it; what follows
        is noted in `result`. `begun`: it may have written something. `reason`: why, unless that is noted already."""
        if action == "rollback":
            result.promoted += self.roll_back_run(connection, sql, seq, thread_id, time, begun=begun)
            return
        given = {"seq": seq, "answer": CANCELLED, "reason": reason, "now": time}
        (webhook,) = one(connection, sql["end_interrupted"], given)
        if webhook is not None:
            add_delivery(connection, sql, seq, time)
            result.webhook = True
        if begun:
            connection.execute(sql["interrupt_thread"], {"thread_id": thread_id, "run_id": run_id})
            connection.execute(sql["leave_unsettled"], ("interrupted", thread_id))
        result.promoted += self.free_thread(connection, sql, thread_id, time)

    def end_unfinished(
        self,
        connection: C,
        sql: Queries,
        row: Mapping[str, Any],
        status: FinalStatus,
        answer: bytes,
        result: EndedRuns,
        *,
        begun: bool = True,
    ) -> None:
        """Ends a run that has not ended with an error, without a word from the worker that may have it; what follows
        is noted in `result`. `begun`: it may have written something."""
        time, seq, thread_id = connection.now, row["seq"], row["thread_id"]
        given = {"seq": seq, "status": status, "crashed": status != "timeout", "answer": answer, "now": time}
        (webhook,) = one(connection, sql["end_without_worker"], given)
        error = orjson.dumps(orjson.loads(answer)["__error__"])
        if webhook is not None:
            add_delivery(connection, sql, seq, time, error=error)
            result.webhook = True
        connection.execute(sql["fail_thread"], (error, thread_id))
        if begun:
            connection.execute(sql["leave_unsettled"], ("error", thread_id))
        result.promoted += self.free_thread(connection, sql, thread_id, time)
        result.ended.append(EndedRun(row["run_id"], thread_id, status))

    def release_run(
        self, connection: C, sql: Queries, lease: Lease, rows: Sequence[CheckpointRow | WriteRow], time: int
    ) -> FinishResult | None:
        """Gives a run back to the queue, with what it has reached; one that was asked to stop ends instead, and what
        that brought about is returned. Raises LeaseLost."""
        given = {"seq": lease.seq, "worker": lease.worker, "attempt": lease.attempt, "token": lease.token, "now": time}
        if connection.execute(sql["release"], given).rowcount:
            self.write_rows(connection, sql, rows)
            return None
        action = self.requested_cancel(connection, sql, lease)
        assert action is not None
        self.write_rows(connection, sql, rows)
        result = CancelResult()
        self.end_cancelled(connection, sql, lease.seq, lease.run_id, lease.thread_id, action, time, result)
        return FinishResult(result.promoted, result.webhook, action)

    def roll_back_run(
        self, connection: C, sql: Queries, seq: int, thread_id: str, time: int, *, begun: bool = True
    ) -> int:
        """Removes a run and what it wrote; the thread is what it was before. Returns how many runs became ready."""
        (run_id,) = one(connection, sql["roll_back_run"], (seq,))
        if begun:
            connection.execute(sql["delete_events"], (run_id,))
            undo_checkpoints_of_run(connection, sql, thread_id, run_id)
        _restore_graph(connection, sql, thread_id)
        promoted = self.free_thread(connection, sql, thread_id, time)
        connection.execute(sql["forget_numbers"], {"thread_id": thread_id})
        return promoted


def _restore_graph(connection: Statements, sql: Queries, thread_id: str) -> None:
    """A thread names the graph of its latest run, by which its state is read."""
    latest = connection.execute(sql["latest_run_of_thread"], (thread_id,)).fetchone()
    thread = connection.execute(sql["thread_metadata"], (thread_id,)).fetchone()
    if latest is None or thread is None:
        return
    graph_id, assistant_id = latest
    before = orjson.loads(thread[0])
    metadata = {**before, "graph_id": graph_id, "assistant_id": assistant_id}
    if metadata != before:
        connection.execute(
            sql["restore_thread_graph"],
            {"thread_id": thread_id, "graph_id": graph_id, "metadata": orjson.dumps(metadata).decode()},
        )
