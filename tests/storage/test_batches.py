"""Batches: their counts, room, deadlines, cancellation and deletion."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from runyard.generated.models import Batch, BatchCounts
from runyard.runtime.errors import LeaseLost
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.queue import LeasedRun
from runyard.runtime.storage.port.runs import Lane, NewBatch, NewRun
from runyard.runtime.storage.port.storage import Storage

from .builders import claim_all, failed_request, finish_request, insert, on_thread, ref, stateless

ALL = Scope.everything()


async def insert_batch(
    storage: Storage, size: int, *, scope: Scope = ALL, item: dict[str, Any] | None = None, **changes: Any
) -> tuple[str, list[NewRun]]:
    """`item`: fields of its runs; `changes`: fields of the batch."""
    batch = NewBatch(**{"batch_id": str(uuid.uuid4()), **changes})
    runs = [stateless(**{"lane": Lane.BATCH, **(item or {})}) for _ in range(size)]
    inserted = await storage.runs.insert(scope, runs, batch)
    assert [run.batch_id for run in inserted.runs] == [batch.batch_id] * size
    return batch.batch_id, runs


async def get(storage: Storage, batch_id: str) -> Batch:
    batch = await storage.batches.get(ALL, batch_id)
    assert batch is not None
    return batch


def counted(**counts: int) -> BatchCounts:
    return BatchCounts(
        **{**dict.fromkeys(("pending", "running", "success", "error", "timeout", "interrupted"), 0), **counts}
    )


async def counts(storage: Storage, batch_id: str) -> BatchCounts:
    return (await get(storage, batch_id)).counts


async def finish(storage: Storage, *leased: LeasedRun, **changes: Any) -> None:
    for run in leased:
        await storage.queue.finish(finish_request(run.lease, **changes))


# Counts


async def test_a_batch_that_nobody_has_begun_is_queued(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 3, name="n", metadata={"a": 1}, retry={"tries": 2}, result_ttl=60.0)
    batch = await get(storage, batch_id)
    assert (batch.status, batch.counts, batch.progress) == ("queued", counted(pending=3), 0.0)
    assert (batch.name, batch.metadata, batch.result_ttl) == ("n", {"a": 1}, 60.0)
    assert batch.retry is not None
    assert batch.retry.tries == 2
    assert (batch.started_at, batch.ended_at, batch.rate, batch.estimated_end) == (None, None, None, None)


async def test_counts_follow_runs_to_their_ends(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 4)
    first, second, third = await storage.queue.claim("worker", limit=3, interactive=3)
    batch = await get(storage, batch_id)
    assert (batch.status, batch.counts) == ("running", counted(pending=1, running=3))
    await finish(storage, first)
    await storage.queue.finish(failed_request(second.lease))
    await storage.queue.release(third.lease)
    batch = await get(storage, batch_id)
    assert (batch.counts, batch.progress) == (counted(pending=2, success=1, error=1), 0.5)
    assert batch.rate
    assert batch.estimated_end
    await finish(storage, *await claim_all(storage))
    batch = await get(storage, batch_id)
    assert (batch.status, batch.counts, batch.progress) == ("completed", counted(success=3, error=1), 1.0)
    assert batch.started_at
    assert batch.ended_at
    assert batch.estimated_end is None
    assert batch.durations.p50
    assert batch.durations.p95
    assert batch.durations.p50 <= batch.durations.p95


async def test_other_runs_do_not_count(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 1)
    await insert(storage, stateless(), stateless())
    await finish(storage, *await claim_all(storage))
    assert await counts(storage, batch_id) == counted(success=1)


async def test_counts_outlive_the_runs(storage: Storage) -> None:
    batch_id, (temporary, kept) = await insert_batch(storage, 2)
    (first, second) = await claim_all(storage)
    await finish(storage, first, second)
    await storage.threads.delete(ALL, [temporary.thread_id])
    await storage.runs.delete(ALL, kept.thread_id, kept.run_id)
    assert await storage.batches.runs(ALL, batch_id, statuses=None, limit=10, offset=0) == []
    assert await counts(storage, batch_id) == counted(success=2)


async def remove_run(storage: Storage, run: NewRun) -> None:
    await storage.runs.delete(ALL, run.thread_id, run.run_id)


async def roll_back(storage: Storage, run: NewRun) -> None:
    await storage.runs.cancel(ALL, [ref(run)], "rollback")


async def delete_thread(storage: Storage, run: NewRun) -> None:
    await storage.threads.delete(ALL, [run.thread_id])


@pytest.mark.parametrize("remove", [remove_run, roll_back, delete_thread])
@pytest.mark.parametrize("begun", [False, True])
async def test_what_is_removed_before_its_end_counts_as_interrupted(
    storage: Storage, remove: Callable[[Storage, NewRun], Awaitable[None]], begun: bool
) -> None:
    batch_id, (run,) = await insert_batch(storage, 1)
    leased = await claim_all(storage) if begun else []
    await remove(storage, run)
    if begun and remove is roll_back:
        await finish(storage, *leased)
    batch = await get(storage, batch_id)
    assert (batch.counts, batch.status) == (counted(interrupted=1), "completed")


async def test_runs_of_dead_workers_are_counted(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 2)
    await claim_all(storage, "dead")
    await storage.workers.reap("dead", max_attempts=2)
    assert await counts(storage, batch_id) == counted(pending=2)
    for _ in range(2):
        await storage.queue.claim("dead", limit=9, interactive=9, solo=True)
        await storage.workers.reap("dead", max_attempts=2)
    assert await counts(storage, batch_id) == counted(error=2)


async def test_a_batch_that_is_not_written_leaves_nothing(storage: Storage) -> None:
    batch = NewBatch(batch_id=str(uuid.uuid4()))
    run = stateless()
    with pytest.raises(Exception, match=r"UNIQUE|unique|duplicate"):
        await storage.runs.insert(ALL, [run, run], batch)
    assert await storage.batches.get(ALL, batch.batch_id) is None


async def test_the_state_differs_with_every_change(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 1)
    states = [await storage.batches.state(ALL, batch_id)]
    leased = await claim_all(storage)
    states.append(await storage.batches.state(ALL, batch_id))
    await storage.batches.request_cancel(ALL, batch_id)
    states.append(await storage.batches.state(ALL, batch_id))
    await finish(storage, *leased)
    states.append(await storage.batches.state(ALL, batch_id))
    assert len({*states}) == 4
    assert states[-1] is not None
    assert states[-1].ended
    assert await storage.batches.state(ALL, str(uuid.uuid4())) is None


async def test_durations_are_no_more_than_a_tenth_too_long(
    storage: Storage, let_time_pass: Callable[[float], None]
) -> None:
    batch_id, _ = await insert_batch(storage, 20)
    runs = await claim_all(storage)
    let_time_pass(10.0)
    await finish(storage, *runs[:12])
    let_time_pass(90.0)  # from where it is now
    await finish(storage, *runs[12:])
    durations = (await get(storage, batch_id)).durations
    assert durations.p50 is not None
    assert 10.0 <= durations.p50 <= 11.5
    assert durations.p95 is not None
    assert 100.0 <= durations.p95 <= 115.0


async def test_a_run_that_seems_to_have_taken_a_century_can_end(
    storage: Storage, let_time_pass: Callable[[float], None]
) -> None:
    batch_id, _ = await insert_batch(storage, 1)
    leased = await claim_all(storage)
    let_time_pass(100 * 365 * 86_400.0)
    await finish(storage, *leased)
    assert await counts(storage, batch_id) == counted(success=1)


# Finding


async def test_batches_are_found_by_status_name_and_metadata(storage: Storage) -> None:
    running, _ = await insert_batch(storage, 1, batch_id=f"{1:036}", name="Nightly", metadata={"c": {"d": 1}})
    await claim_all(storage)
    queued, _ = await insert_batch(storage, 1, batch_id=f"{2:036}", name="nightly import", metadata={"c": {"d": 2}})

    async def found(**wanted: Any) -> list[str]:
        given = {"statuses": None, "name": None, "metadata": None, "limit": 10, "offset": 0}
        return [batch.batch_id for batch in await storage.batches.search(ALL, **{**given, **wanted})]

    assert await found() == [queued, running]
    assert await found(limit=1) == [queued]
    assert await found(offset=1) == [running]
    assert await found(statuses=["running"]) == [running]
    assert await found(statuses=["queued", "running"]) == [queued, running]
    assert await found(statuses=["completed", "cancelled", "accepting"]) == []
    assert await found(name="NIGHT") == [queued, running]
    assert await found(name="import") == [queued]
    assert await found(metadata={"c": {"d": 1}}) == [running]
    await storage.batches.request_cancel(ALL, queued)
    await storage.batches.stop_some(queued, -1, 10)
    assert await found(statuses=["cancelled"]) == [queued]


async def test_runs_are_found_in_the_order_of_the_batch(storage: Storage) -> None:
    batch_id, runs = await insert_batch(storage, 3)
    (first,) = await storage.queue.claim("worker", limit=1, interactive=1)
    await finish(storage, first)

    async def found(**wanted: Any) -> list[str] | None:
        given = {"statuses": None, "limit": 10, "offset": 0}
        page = await storage.batches.runs(ALL, batch_id, **{**given, **wanted})
        return None if page is None else [run.run_id for run in page]

    ids = [run.run_id for run in runs]
    assert await found() == ids
    assert await found(limit=1, offset=1) == ids[1:2]
    assert await found(statuses=["success"]) == ids[:1]
    assert await found(statuses=["pending", "running"]) == ids[1:]
    assert await storage.batches.runs(ALL, str(uuid.uuid4()), statuses=None, limit=1, offset=0) is None


async def test_what_is_outside_a_scope_is_not_there(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 1, scope=Scope(identity="ann"), metadata={"owner": "ann"})
    hers, his = (Scope(identity=name, filter={"owner": name}) for name in ("ann", "bob"))
    wanted: dict[str, Any] = {"statuses": None, "name": None, "metadata": None, "limit": 10, "offset": 0}
    assert await storage.batches.get(hers, batch_id) is not None
    assert await storage.batches.state(hers, batch_id) is not None
    assert len(await storage.batches.search(hers, **wanted)) == 1
    assert await storage.batches.get(his, batch_id) is None
    assert await storage.batches.state(his, batch_id) is None
    assert await storage.batches.search(his, **wanted) == []
    assert await storage.batches.runs(his, batch_id, statuses=None, limit=10, offset=0) is None
    assert await storage.batches.request_cancel(his, batch_id) is None
    assert await storage.batches.delete(his, batch_id) is None
    assert (await get(storage, batch_id)).cancelled_at is None


# Room


async def test_no_more_runs_are_under_way_than_the_batch_has_room_for(storage: Storage) -> None:
    batch_id, runs = await insert_batch(storage, 5, max_concurrency=2)
    under_way = await claim_all(storage)
    order = [run.lease.run_id for run in under_way]
    while under_way:
        assert len(under_way) <= 2
        assert await claim_all(storage) == []
        ended = await storage.queue.finish(finish_request(under_way.pop(0).lease))
        assert ended.promoted
        under_way += (claimed := await claim_all(storage))
        order += [run.lease.run_id for run in claimed]
    assert order == [run.run_id for run in runs]
    assert await counts(storage, batch_id) == counted(success=5)


async def test_other_runs_take_no_room(storage: Storage) -> None:
    await insert_batch(storage, 3, max_concurrency=1)
    await insert_batch(storage, 3)
    await insert(storage, stateless())
    assert len(await claim_all(storage)) == 1 + 3 + 1


async def test_a_run_that_goes_back_to_the_queue_keeps_its_room(storage: Storage) -> None:
    await insert_batch(storage, 3, max_concurrency=1)
    (leased,) = await claim_all(storage, "dead")
    await storage.queue.release(leased.lease)
    (again,) = await claim_all(storage, "dead")
    assert again.lease.run_id == leased.lease.run_id
    await storage.workers.reap("dead", max_attempts=10)
    assert len(await claim_all(storage)) == 1


@pytest.mark.parametrize("remove", [remove_run, roll_back, delete_thread])
async def test_what_is_removed_leaves_its_room(
    storage: Storage, remove: Callable[[Storage, NewRun], Awaitable[None]]
) -> None:
    _, runs = await insert_batch(storage, 4, max_concurrency=2)
    await remove(storage, runs[0])  # it had room
    await remove(storage, runs[3])  # it had none
    claimed = await claim_all(storage)
    assert [run.lease.run_id for run in claimed] == [run.run_id for run in runs[1:3]]


async def test_runs_whose_time_comes_need_room_too(storage: Storage, set_time_of_day: Callable[[float], None]) -> None:
    _, runs = await insert_batch(storage, 4, max_concurrency=2, item={"delay": 0.001})
    while (await storage.queue.make_due(10)).next_due is not None:
        pass
    claimed = await claim_all(storage)
    assert [run.lease.run_id for run in claimed] == [run.run_id for run in runs[:2]]
    await finish(storage, *claimed)
    assert len(await claim_all(storage)) == 2


async def test_a_thread_of_a_held_run_does_its_runs_in_order(storage: Storage) -> None:
    _, runs = await insert_batch(storage, 2, max_concurrency=1)
    follower = await insert(storage, on_thread(runs[1].thread_id))
    (first,) = await claim_all(storage)
    await finish(storage, first)
    (second,) = await claim_all(storage)
    assert second.lease.run_id == runs[1].run_id
    await finish(storage, second)
    (third,) = await claim_all(storage)
    assert third.lease.run_id == follower.run_id


async def test_held_runs_are_not_ready(storage: Storage) -> None:
    await insert_batch(storage, 5, max_concurrency=2)
    depth = await storage.queue.depth()
    assert (depth.ready, depth.waiting) == (2, 3)


# Cancelling


async def test_a_batch_is_cancelled_in_steps(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 10, max_concurrency=None)
    running = await storage.queue.claim("worker", limit=2, interactive=2)
    batch = await storage.batches.request_cancel(ALL, batch_id)
    assert batch is not None
    assert batch.cancelled_at is not None
    assert batch.status == "running"
    assert await storage.batches.cancelled(10) == [batch_id]
    after: int | None = -1
    ended = 0
    requested: dict[str, str] = {}
    while after is not None:
        stopped = await storage.batches.stop_some(batch_id, after, 3)
        ended += len(stopped.result.ended)
        requested |= stopped.result.requested
        after = stopped.after
    assert (ended, requested) == (8, {run.lease.run_id: "worker" for run in running})
    await finish(storage, *running)
    batch = await get(storage, batch_id)
    assert (batch.status, batch.counts) == ("cancelled", counted(interrupted=10))
    assert await storage.batches.cancelled(10) == []


async def test_nothing_of_a_cancelled_batch_gets_room(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 6, max_concurrency=2)
    claimed = await claim_all(storage)
    await storage.batches.request_cancel(ALL, batch_id)
    after: int | None = -1
    while after is not None:
        after = (await storage.batches.stop_some(batch_id, after, 2)).after
        assert await claim_all(storage) == []
    await finish(storage, *claimed)
    assert (await get(storage, batch_id)).status == "cancelled"


async def test_an_ended_batch_cannot_be_cancelled(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 1)
    await finish(storage, *await claim_all(storage))
    batch = await storage.batches.request_cancel(ALL, batch_id)
    assert batch is not None
    assert (batch.status, batch.cancelled_at) == ("completed", None)


# Time


async def end_late(storage: Storage) -> list[str]:
    ended, more = [], True
    while more:
        late = await storage.batches.end_late(2)
        ended += [run.run_id for run in late.ended.ended]
        assert {run.status for run in late.ended.ended} <= {"timeout"}
        more = late.more
    return ended


async def test_what_has_not_begun_in_time_is_given_up(storage: Storage) -> None:
    batch_id, runs = await insert_batch(storage, 6, start_within=0.0, item={"webhook": "https://example.com"})
    (leased,) = await storage.queue.claim("worker", limit=1, interactive=1)
    assert await storage.batches.next_late() == 0.0
    assert {*await end_late(storage)} == {run.run_id for run in runs[1:]}
    assert await storage.batches.next_late() is None
    assert await counts(storage, batch_id) == counted(running=1, timeout=5)
    (result,) = await storage.runs.ended(ALL, [runs[1].run_id])
    assert result.status == "timeout"
    assert "X-Batch-Start-Within" in orjson.loads(result.answer)["__error__"]["message"]
    await finish(storage, leased)
    assert (await get(storage, batch_id)).status == "completed"


async def test_what_has_not_ended_in_time_is_stopped(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 5, finish_within=0.0, max_concurrency=2)
    claimed = await claim_all(storage)
    assert len(await end_late(storage)) == 5
    with pytest.raises(LeaseLost):
        await finish(storage, claimed[0])
    batch = await get(storage, batch_id)
    assert (batch.status, batch.counts) == ("completed", counted(timeout=5))


async def test_in_time_nothing_is_late(storage: Storage) -> None:
    await insert_batch(storage, 1, start_within=3600.0, finish_within=7200.0)
    seconds = await storage.batches.next_late()
    assert seconds is not None
    assert 3590 < seconds <= 3600
    assert await end_late(storage) == []
    await finish(storage, *await claim_all(storage))
    assert await storage.batches.next_late() is None


# The end


async def test_a_call_is_made_for_the_end_of_a_batch(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 2, webhook="https://example.com/done", metadata={"a": 1})
    first, second = await claim_all(storage)
    assert not (await storage.queue.finish(finish_request(first.lease))).webhook
    assert await storage.deliveries.claim(10, 60.0) == []
    assert (await storage.queue.finish(finish_request(second.lease))).webhook
    (delivery,) = await storage.deliveries.claim(10, 60.0)
    assert (delivery.url, delivery.batch_id, delivery.run_id) == ("https://example.com/done", batch_id, None)
    told = orjson.loads(delivery.payload)
    assert (told["batch_id"], told["status"], told["counts"]["success"]) == (batch_id, "completed", 2)
    assert told["metadata"] == {"a": 1}


async def test_a_batch_that_was_deleted_before_its_call_is_told_all_the_same(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 1, webhook="https://example.com/done")
    await finish(storage, *await claim_all(storage))
    assert await storage.batches.delete(ALL, batch_id)
    (delivery,) = await storage.deliveries.claim(10, 60.0)
    assert orjson.loads(delivery.payload)["counts"]["success"] == 1


async def remove_leftovers(storage: Storage) -> None:
    while await storage.batches.remove_leftovers():
        pass


async def test_a_deleted_batch_leaves_kept_runs_on_their_threads(storage: Storage) -> None:
    batch_id, (kept,) = await insert_batch(storage, 1)
    await finish(storage, *await claim_all(storage))
    assert await storage.batches.delete(ALL, batch_id)
    await remove_leftovers(storage)
    assert await storage.batches.get(ALL, batch_id) is None
    run = await storage.runs.get(ALL, kept.thread_id, kept.run_id)
    assert run is not None
    assert (run.status, run.batch_id) == ("success", None)


async def test_a_deleted_batch_takes_the_answers_of_temporary_runs_along(storage: Storage) -> None:
    batch_id, (run,) = await insert_batch(storage, 1, item={"temporary": True})
    await finish(storage, *await claim_all(storage), temporary=True)
    assert await storage.runs.locate(ALL, run.run_id) is not None
    assert await storage.batches.delete(ALL, batch_id)
    await remove_leftovers(storage)
    assert await storage.runs.locate(ALL, run.run_id) is None


async def test_a_batch_with_work_is_not_deleted(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 1)
    assert await storage.batches.delete(ALL, batch_id) is False
    await claim_all(storage)
    assert await storage.batches.delete(ALL, batch_id) is False
    assert await counts(storage, batch_id) == counted(running=1)
    assert await storage.batches.delete(ALL, str(uuid.uuid4())) is None


async def test_batches_that_ended_long_ago_are_forgotten(storage: Storage) -> None:
    ended, _ = await insert_batch(storage, 1)
    await finish(storage, *await claim_all(storage))
    waiting, _ = await insert_batch(storage, 1)
    assert await storage.batches.forget(3600.0, 10) == 0
    assert await storage.batches.forget(-1.0, 10) == 1
    assert await storage.batches.get(ALL, ended) is None
    assert await storage.batches.get(ALL, waiting) is not None
