"""How runs end as their graphs did, on Postgres: many at once, in one statement, or in few within a transaction where
more follows from an end; in either case under the locks of their threads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from runyard.runtime.errors import LeaseLost
from runyard.runtime.lifecycle import CANCELLED
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.queue import FinishRequest, FinishResult
from runyard.runtime.storage.postgres.checkpoints.checkpoint_rows import columns_of_added, write_rows
from runyard.runtime.storage.postgres.database.arrays import booleans, integers, payloads, texts
from runyard.runtime.storage.postgres.database.connection import SLICES, Connection, buckets_of, lock_of
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.leases import requested_cancel
from runyard.runtime.storage.postgres.runs.cancellation import roll_back_run
from runyard.runtime.storage.rows.deliveries import add_delivery
from runyard.runtime.storage.shared.checkpoints import cut_back_run
from runyard.runtime.storage.shared.leftovers import discard_thread
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.time_slice import TimeSlice


class Finish(NamedTuple):
    """What `QueueStorage.finish` is asked for."""

    request: FinishRequest
    rows: Sequence[CheckpointRow | WriteRow]


class _Ended(NamedTuple):
    """A run that has just ended. gone: its thread went with it. promoted: the next one of the thread is ready. capped:
    another one of its batch may be. called: a call for the end of its batch is to be made."""

    webhook: str | None
    batch_id: str | None
    gone: bool
    promoted: bool
    capped: bool
    called: bool

    def result(self) -> FinishResult:
        return FinishResult(self.promoted + self.capped, self.webhook is not None or self.called)


def finish_runs(connection: Connection, sql: Queries, finishes: Sequence[Finish]) -> list[FinishResult | LeaseLost]:
    """Ends runs; one that was asked to stop ends as that says, whatever its graph came to."""
    ended = _finish(connection, sql, finishes)
    results: list[FinishResult | LeaseLost] = []
    for finish in finishes:
        result: FinishResult | LeaseLost | None = ended.get(finish.request.lease.seq)
        if result is None:
            try:
                result = finish_cancelled(connection, sql, finish)
            except LeaseLost as error:
                result = error
        results.append(result)
    return results


def finish_cancelled(connection: Connection, sql: Queries, finish: Finish) -> FinishResult:
    """The end of a run that was asked to stop. Raises LeaseLost."""
    request = finish.request
    lease = request.lease
    if requested_cancel(connection, sql, lease) == "rollback":
        promoted = roll_back_run(connection, sql, lease.seq, lease.thread_id, connection.now)
        return FinishResult(promoted, False, "rollback")
    failed = request.status in ("error", "timeout")
    interrupted = replace(request, status="interrupted", answer=CANCELLED if failed else request.answer, error=None)
    ended = _finish(connection, sql, [Finish(interrupted, finish.rows)], cancelled=True)
    return replace(ended[lease.seq], cancelled="interrupt")


def finish_at_once(database: Database, sql: Queries, finishes: Sequence[Finish]) -> dict[int, FinishResult]:
    """Ends runs as their graphs did, in a transaction of one statement, in the pool thread that this is called in. The
    results by their places, without those of which more follows, or without any if that shows late: nothing was done
    for them then."""
    plain = [finish for finish in finishes if not _asks_for_more(finish)]
    rows = [row for request, own in plain if not request.temporary for row in own]
    given, statement = _given(_in_order(finish.request for finish in plain), locked=False), sql["end_runs"]
    columns = columns_of_added(rows)
    if columns is None or not plain:
        return {}
    if rows:
        given |= {f"rows_{number}": column for number, column in enumerate(columns)}
        statement = sql["end_runs_with_checkpoints"]
    ended = {seq: _Ended(*rest) for seq, *rest in database.write_one_here(statement, given)}
    places = ((place, ended.get(finish.request.lease.seq)) for place, finish in enumerate(finishes))
    return {place: each.result() for place, each in places if each is not None}


def _asks_for_more(finish: Finish) -> bool:
    request = finish.request
    return (request.temporary and request.spilled) or request.readable is not None or request.tokens is not None


def _finish(
    connection: Connection, sql: Queries, finishes: Sequence[Finish], *, cancelled: bool = False
) -> dict[int, FinishResult]:
    """By `seq`, what followed; without those whose lease does not hold, or that were asked to stop and are not
    `cancelled`."""
    given = _given(_in_order(finish.request for finish in finishes), locked=True, stopped=cancelled)
    ended = {seq: _Ended(*rest) for seq, *rest in connection.execute(sql["end_runs"], given)}
    held = [finish for finish in finishes if finish.request.lease.seq in ended]
    saved: list[CheckpointRow | WriteRow] = []
    for request, own in held:
        if not ended[request.lease.seq].gone:
            saved += own if request.unsaved is None else [*own, *request.unsaved()]
        elif request.spilled:
            discard_thread(connection, sql, request.lease.thread_id, TimeSlice(SLICES), with_runs=False)
    write_rows(connection, sql, saved)
    for request, _ in held:
        lease, (webhook, batch_id, gone, *_) = request.lease, ended[request.lease.seq]
        if request.readable is not None and not gone:
            cut_back_run(connection, sql, lease.thread_id, lease.run_id, request.readable)
        if request.tokens is not None and batch_id is not None:
            connection.execute(sql["count_tokens"], {**request.tokens._asdict(), "batch_id": batch_id})
        if webhook is not None:
            add_delivery(connection, sql, lease.seq, connection.now, values=request.values, error=request.error)
    return {seq: each.result() for seq, each in ended.items()}


def _in_order(requests: Iterable[FinishRequest]) -> list[FinishRequest]:
    """That of their numbers, so that nobody waits in a circle for the counts of batches."""
    return sorted(requests, key=lambda request: request.lease.seq)


def _given(requests: Sequence[FinishRequest], *, locked: bool, stopped: bool = False) -> dict[str, Any]:
    """The parameters of `end_runs`. `locked`: in a transaction that has the locks of the threads, and may do more."""
    leases = [request.lease for request in requests]
    locks = [] if locked else [lock_of(lease.thread_id) for lease in leases]
    return {
        "all_known": locked,
        "buckets": integers(buckets_of(locks)),
        "locks": integers(sorted(set(locks))),
        "seqs": integers(lease.seq for lease in leases),
        "workers": texts(lease.worker for lease in leases),
        "attempts": integers(lease.attempt for lease in leases),
        "tokens": integers(lease.token for lease in leases),
        "thread_ids": texts(lease.thread_id for lease in leases),
        "statuses": texts(request.status for request in requests),
        "paused": booleans(request.paused for request in requests),
        "shared": booleans(map(_is_shared, requests)),
        "answers": payloads(request.answer for request in requests),
        "temporary": booleans(request.temporary for request in requests),
        "settled": texts(map(_settled, requests)),
        "states": payloads(request.values for request in requests),
        "interrupts": payloads(request.interrupts for request in requests),
        "errors": payloads(request.error for request in requests),
        "unsettled": texts(map(_unsettled, requests)),
        "stopped": stopped,
    }


def _is_shared(request: FinishRequest) -> bool:
    """Whether the thread is about to hold what the run answers."""
    return request.status == "success" and not request.temporary and request.answer == request.values


def _settled(request: FinishRequest) -> str:
    if request.status in ("error", "timeout"):
        return "error"
    return "interrupted" if request.paused else "idle"


def _unsettled(request: FinishRequest) -> str | None:
    unread = request.values is None and request.status in ("interrupted", "timeout")
    if not request.temporary and not unread:
        return None
    return "error" if _settled(request) == "error" else "interrupted"
