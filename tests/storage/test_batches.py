"""Batches: their counts, their durations, and how they are found."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import NewBatch, NewRun
from runyard.runtime.storage.port.storage import Storage

from .batches import ALL, counted, counts, delete_thread, finish, get, insert_batch, remove_run, roll_back
from .builders import claim_all, failed_request, insert, stateless


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
