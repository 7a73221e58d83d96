"""The rows of batches, as every backend has them: written with their runs, read with their counts, and shown as the
interface's noun."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import orjson

from runyard.generated.models import (
    Batch,
    BatchCounts,
    BatchDurations,
    BatchRetryPolicy,
    BatchStatus,
    BatchTokens,
)
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import NewBatch
from runyard.runtime.storage.rows.rows import iso_time
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Statements

_CONDITIONS: Final[dict[BatchStatus, str]] = {
    "accepting": "false",
    "queued": "ended_at is null and started_at is null",
    "running": "ended_at is null and started_at is not null",
    "completed": "ended_at is not null and cancelled_at is null",
    "cancelled": "ended_at is not null and cancelled_at is not null",
}
_LONGEST_ESTIMATE: Final = 3_155_760_000_000_000
"""Microseconds. Whoever says more than a century knows nothing."""


def insert_batch(
    connection: Statements, sql: Queries, scope: Scope, batch: NewBatch, size: int, ready: int, clock: int
) -> None:
    """Writes a batch of so many items, of which so many are ready; `clock` is the time by the clock of the queue, in
    microseconds."""
    now = connection.now
    connection.execute(sql["insert_batch"], _batch_columns(scope, batch, size, clock, now))
    connection.execute(sql["insert_batch_counts"], _count_columns(batch, size, ready, now))


def read_batch(connection: Statements, sql: Queries, row: dict[str, Any]) -> Batch:
    """A batch as the interface shows it; the row is that of the batch and that of its counts, and the time, `now`."""
    classes = connection.execute(sql["batch_durations"], (row["batch_id"],)).fetchall()
    return _batch_from_row(row, classes, row["now"])


def _batch_columns(scope: Scope, batch: NewBatch, size: int, clock: int, time: int) -> dict[str, Any]:
    """A new batch of so many items; `clock` is the time by the clock of the queue, `time` the time of day, both in
    microseconds."""
    return {
        "batch_id": batch.batch_id,
        "creator": scope.identity,
        "name": batch.name,
        "metadata": orjson.dumps(batch.metadata).decode(),
        "webhook": batch.webhook,
        "size": size,
        "max_concurrency": batch.max_concurrency,
        "start_within": batch.start_within,
        "finish_within": batch.finish_within,
        "start_due": _due(batch.start_within, clock),
        "finish_due": _due(batch.finish_within, clock),
        "retry": None if batch.retry is None else orjson.dumps(batch.retry).decode(),
        "result_ttl": batch.result_ttl,
        "now": time,
    }


def _count_columns(batch: NewBatch, size: int, ready: int, time: int) -> dict[str, Any]:
    """The counts of a new batch, of whose items so many are ready."""
    room = None if batch.max_concurrency is None else batch.max_concurrency - ready
    return {"batch_id": batch.batch_id, "size": size, "room": room, "now": time}


def _due(seconds: float | None, clock: int) -> int | None:
    return None if seconds is None else clock + int(seconds * 1e6)


def condition_of(status: BatchStatus) -> str:
    """What is true of the rows of batches with that status."""
    return _CONDITIONS[status]


def _batch_from_row(row: dict[str, Any], classes: Sequence[tuple[int, int]], time: int) -> Batch:
    """A batch as the interface shows it at that time, in microseconds; the row is that of the batch and that of its
    counts. `classes` are (microseconds, how many runs took no longer and longer than the class before)."""
    counts = BatchCounts(
        pending=row["pending"],
        running=row["running"],
        success=row["success"],
        error=row["error"],
        timeout=row["timeout"],
        interrupted=row["interrupted"],
    )
    started, ended = row["started_at"], row["ended_at"]
    left = counts.pending + counts.running
    done = counts.success + counts.error + counts.timeout + counts.interrupted
    rate = None if started is None else done / max(0.001, ((ended or time) - started - row["paused"]) / 1e6)
    estimated = None
    if ended is None and rate and (more := int(left / rate * 1e6)) < _LONGEST_ESTIMATE:
        estimated = time + more
    return Batch(
        batch_id=row["batch_id"],
        name=row["name"],
        status=_status(row),
        counts=counts,
        metadata=orjson.loads(row["metadata"]),
        created_at=iso_time(row["created_at"]),
        started_at=_time(started),
        ended_at=_time(ended),
        cancelled_at=_time(row["cancelled_at"]),
        progress=done / max(1, done + left),
        rate=rate,
        estimated_end=_time(estimated),
        durations=BatchDurations(p50=_percentile(classes, 0.5), p95=_percentile(classes, 0.95)),
        tokens=BatchTokens(input=row["input_tokens"], output=row["output_tokens"], cached=row["cached_tokens"]),
        webhook=row["webhook"],
        max_concurrency=row["max_concurrency"],
        start_within=row["start_within"],
        finish_within=row["finish_within"],
        retry=None if row["retry"] is None else msgspec.json.decode(row["retry"], type=BatchRetryPolicy),
        result_ttl=row["result_ttl"],
    )


def _status(row: dict[str, Any]) -> BatchStatus:
    if row["ended_at"] is not None:
        return "completed" if row["cancelled_at"] is None else "cancelled"
    return "queued" if row["started_at"] is None else "running"


def _time(micros: int | None) -> str | None:
    return None if micros is None else iso_time(micros)


def _percentile(classes: Sequence[tuple[int, int]], share: float) -> float | None:
    wanted, seen = share * sum(runs for _, runs in classes), 0
    for upto, runs in classes:
        seen += runs
        if seen >= wanted:
            return upto / 1e6
    return None
