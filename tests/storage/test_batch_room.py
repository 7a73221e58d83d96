"""No more runs of a batch are under way than it has room for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.port.storage import Storage

from .batches import ALL, counted, counts, delete_thread, finish, get, insert_batch, remove_run, roll_back
from .builders import claim_all, finish_request, insert, on_thread, stateless


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


async def test_runs_that_are_due_at_one_moment_get_room_in_their_order(storage: Storage) -> None:
    _, runs = await insert_batch(storage, 3, max_concurrency=2, item={"delay": 0.001})
    await storage.queue.hasten(runs[0].run_id)  # its row is written anew
    while (await storage.queue.make_due(10)).next_due is not None:
        pass
    claimed = await claim_all(storage)
    assert [run.lease.run_id for run in claimed] == [run.run_id for run in runs[:2]]


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
