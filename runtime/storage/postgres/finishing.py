"""How runs end as their graphs did, on Postgres: many at once, in few statements, within one transaction that holds the
locks of their threads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from runyard.runtime.errors import LeaseLost
from runyard.runtime.lifecycle import CANCELLED
from runyard.runtime.storage.checkpoint_rows import cut_back_run
from runyard.runtime.storage.delivery_rows import add_delivery
from runyard.runtime.storage.leftovers import discard_thread
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.queue import FinishRequest, FinishResult
from runyard.runtime.storage.postgres.cancellation import roll_back_run
from runyard.runtime.storage.postgres.checkpoint_rows import write_rows
from runyard.runtime.storage.postgres.connection import SLICES, Connection
from runyard.runtime.storage.postgres.leases import requested_cancel
from runyard.runtime.storage.queries import Queries
from runyard.runtime.storage.time_slice import TimeSlice


class Finish(NamedTuple):
    """What `QueueStorage.finish` is asked for."""

    request: FinishRequest
    rows: Sequence[CheckpointRow | WriteRow]


class _Ended(NamedTuple):
    """A run that has just ended. followed: other runs of its thread wait."""

    webhook: str | None
    batch_id: str | None
    followed: bool


def finish_runs(connection: Connection, sql: Queries, finishes: Sequence[Finish]) -> list[FinishResult | LeaseLost]:
    """Ends runs; one that was asked to stop ends as that says, whatever its graph came to."""
    # In the order of their numbers, so that nobody waits in a circle for the counts of batches.
    ended = _finish(connection, sql, sorted(finishes, key=lambda finish: finish.request.lease.seq))
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


def _finish(
    connection: Connection, sql: Queries, finishes: Sequence[Finish], *, cancelled: bool = False
) -> dict[int, FinishResult]:
    """By `seq`, what followed; without those whose lease does not hold, or that were asked to stop and are not
    `cancelled`."""
    requests = [finish.request for finish in finishes]
    given = {
        "seqs": [request.lease.seq for request in requests],
        "workers": [request.lease.worker for request in requests],
        "attempts": [request.lease.attempt for request in requests],
        "tokens": [request.lease.token for request in requests],
        "statuses": [request.status for request in requests],
        "paused": [request.paused for request in requests],
        "shared": [_is_shared(request) for request in requests],
        "answers": [request.answer for request in requests],
        "cancelled": [cancelled] * len(requests),
        "now": connection.now,
    }
    ended = {seq: _Ended(*rest) for seq, *rest in connection.execute(sql["finish"], given)}
    held = [finish for finish in finishes if finish.request.lease.seq in ended]
    if not held:
        return {}
    deleted = _delete_temporary(connection, sql, [finish.request for finish in held])
    kept = [finish for finish in held if finish.request.lease.thread_id not in deleted]
    promoted = _settle(connection, sql, kept, ended)
    _count_tokens(connection, sql, held, ended)
    batches = _batches_after(connection, sql, {each.batch_id for each in ended.values() if each.batch_id is not None})
    results: dict[int, FinishResult] = {}
    for request, _ in held:
        webhook, batch_id, _ = ended[request.lease.seq]
        if webhook is not None:
            add_delivery(connection, sql, request.lease.seq, connection.now, values=request.values, error=request.error)
        capped, called = batches.get(batch_id, (False, False))
        results[request.lease.seq] = FinishResult(
            promoted[request.lease.thread_id] + capped, webhook is not None or called
        )
    return results


def _delete_temporary(connection: Connection, sql: Queries, requests: Sequence[FinishRequest]) -> set[str]:
    """The threads that went with their runs: those that were theirs only."""
    temporary = [request.lease.thread_id for request in requests if request.temporary]
    if not temporary:
        return set()
    deleted = {thread_id for (thread_id,) in connection.execute(sql["delete_temporary_threads"], (temporary,))}
    for request in requests:
        if request.spilled and request.lease.thread_id in deleted:
            discard_thread(connection, sql, request.lease.thread_id, TimeSlice(SLICES), with_runs=False)
    return deleted


def _settle(connection: Connection, sql: Queries, kept: Sequence[Finish], ended: dict[int, _Ended]) -> Counter[str]:
    """Has threads show what their runs came to, with their checkpoints. How many runs became ready, by thread."""
    if not kept:
        return Counter()
    requests = [finish.request for finish in kept]
    threads = [request.lease.thread_id for request in requests]
    promoted = Counter[str]()
    followed = [request.lease.thread_id for request in requests if ended[request.lease.seq].followed]
    if followed:
        rows = connection.execute(sql["promote"], {"thread_ids": followed, "now": connection.now})
        promoted.update(thread_id for (thread_id,) in rows)
    stayed = [request.lease.seq for request in requests if request.temporary]
    if stayed:  # another run was put on the thread; what the thread asks was not read
        connection.execute(sql["keep_runs"], (stayed,))
    connection.execute(
        sql["settle_threads"],
        {
            "thread_ids": threads,
            "settled": [_settled(request) for request in requests],
            "states": [request.values for request in requests],
            "interrupts": [request.interrupts for request in requests],
            "errors": [request.error for request in requests],
            "unsettled": [_unsettled(request) for request in requests],
            "answered": [
                request.lease.seq if _is_shared(request) and ended[request.lease.seq].batch_id is None else None
                for request in requests
            ],
            "now": connection.now,
        },
    )
    saved: list[CheckpointRow | WriteRow] = []
    for request, own in kept:
        saved += own if request.unsaved is None else [*own, *request.unsaved()]
    write_rows(connection, sql, saved)
    for request in requests:
        if request.readable is not None:
            cut_back_run(connection, sql, request.lease.thread_id, request.lease.run_id, request.readable)
    return promoted


def _count_tokens(connection: Connection, sql: Queries, held: Sequence[Finish], ended: dict[int, _Ended]) -> None:
    for request, _ in held:
        if request.tokens is not None and ended[request.lease.seq].batch_id is not None:
            given = {**request.tokens._asdict(), "batch_id": ended[request.lease.seq].batch_id}
            connection.execute(sql["count_tokens"], given)


def _batches_after(connection: Connection, sql: Queries, batch_ids: set[str]) -> dict[str | None, tuple[bool, bool]]:
    """Of each batch whether another run may have got the place of one that ended, and whether a call is to be made."""
    if not batch_ids:
        return {}
    rows = connection.execute(sql["batches_after_end"], (sorted(batch_ids),))
    return {batch_id: (capped, called) for batch_id, capped, called in rows}


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
