"""How runs are made ready to be written, on every backend: rows of columns by name, and what their clients are told."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from runyard.generated.models import Run
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import Lane, NewBatch, NewRun
from runyard.runtime.storage.rows.rows import expiry_columns, iso_time

BUSY = "Thread is already running a task. Wait for it to finish or choose a different multitask strategy."
NO_THREAD = "Thread or assistant not found."


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A run as far as it can be made before the transaction, in which every moment holds up others: `row` is that of
    the run; `thread` that of a stateless run's thread, and `created` what its client is told."""

    new_run: NewRun
    row: dict[str, Any]
    thread: dict[str, Any] | None
    created: Run | None


def prepare_runs(
    scope: Scope, new_runs: Sequence[NewRun], clock: int, time: int, batch: NewBatch | None = None
) -> list[PreparedRun]:
    """`clock` is the time by the clock of the queue, `time` the time of day, both in microseconds."""
    stamp = iso_time(time)
    if batch is None:
        return [_prepared(scope, new_run, clock, time, stamp) for new_run in new_runs]
    prepared = [
        _prepared(scope, new_run, clock, time, stamp, batch.batch_id, index) for index, new_run in enumerate(new_runs)
    ]
    if batch.max_concurrency is not None:
        ready = (run.row for run in prepared if run.row["queue"] == "ready")
        for row in islice(ready, batch.max_concurrency, None):
            row["lane"] = int(Lane.HELD)
    return prepared


def _prepared(
    scope: Scope,
    new_run: NewRun,
    clock: int,
    time: int,
    stamp: str,
    batch_id: str | None = None,
    batch_index: int | None = None,
) -> PreparedRun:
    due = clock + int(new_run.delay * 1e6) if new_run.delay > 0 else None
    stateless = new_run.thread_metadata is not None
    row = {
        "run_id": new_run.run_id,
        "thread_id": new_run.thread_id,
        "assistant_id": new_run.assistant_id,
        "graph_id": new_run.graph_id,
        "queue": "ready" if due is None else "delayed",
        "lane": int(new_run.lane),
        "due": due,
        "strategy": new_run.strategy,
        "temporary": new_run.temporary,
        "resumable": new_run.resumable,
        "protocol": new_run.protocol,
        "watching": int(new_run.interest),
        "webhook": new_run.webhook,
        "metadata": orjson.dumps(new_run.metadata).decode() if stateless else None,
        "kwargs": orjson.dumps(new_run.kwargs).decode(),
        "creator": scope.identity,
        "creator_details": scope.user,
        "batch_id": batch_id,
        "batch_index": batch_index,
        "now": time,
    }
    if not stateless:
        return PreparedRun(new_run, row, None, None)
    thread = {
        "thread_id": new_run.thread_id,
        "now": time,
        "status": "busy",
        "metadata": orjson.dumps(new_run.thread_metadata).decode(),
        "graph_id": new_run.graph_id,
        "temporary": new_run.temporary,
        "creator": scope.identity,
        **expiry_columns(new_run.expiry),
    }
    return PreparedRun(new_run, row, thread, created_run(new_run, new_run.metadata, stamp, batch_id))


def kept_with_thread(metadata: dict[str, Any]) -> dict[str, Any]:
    """What a thread that is made for a run has of the run's metadata: all but what says how the run came about."""
    return {key: value for key, value in metadata.items() if key != "created_by"}


def created_run(new_run: NewRun, metadata: dict[str, Any], stamp: str, batch_id: str | None = None) -> Run:
    """The run as its client sees it; `stamp` is the time of its creation."""
    config = {**new_run.kwargs["config"], "metadata": metadata}
    return Run(
        run_id=new_run.run_id,
        thread_id=new_run.thread_id,
        assistant_id=new_run.assistant_id,
        created_at=stamp,
        updated_at=stamp,
        status="pending",
        metadata=metadata,
        kwargs={**new_run.kwargs, "config": config},
        multitask_strategy=new_run.strategy,
        langsmith_session_name=None,
        batch_id=batch_id,
    )
