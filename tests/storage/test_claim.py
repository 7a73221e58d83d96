"""Claiming: which run comes next, and for how long a claim holds."""

from __future__ import annotations

import uuid

import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import Lane
from runyard.runtime.storage.port.storage import Storage

from .builders import (
    checkpoint_row,
    claim,
    claim_all,
    finish_request,
    idle_thread,
    insert,
    on_thread,
    stateless,
)


async def test_nothing_is_claimed_from_an_empty_queue(storage: Storage) -> None:
    assert await claim_all(storage) == []
    assert await storage.queue.claim("worker", limit=1, interactive=1, solo=True) == []


async def test_lanes_are_claimed_in_order_and_runs_of_a_lane_by_age(storage: Storage) -> None:
    lanes = (Lane.BATCH, Lane.SINGLE, Lane.INTERACTIVE, Lane.BATCH, Lane.SINGLE, Lane.INTERACTIVE)
    new_runs = [await insert(storage, stateless(lane=lane)) for lane in lanes]
    claimed = await storage.queue.claim("worker", limit=10, interactive=10)
    by_lane = sorted(range(6), key=lambda index: (lanes[index], index))
    assert [leased.lease.run_id for leased in claimed] == [new_runs[index].run_id for index in by_lane]


async def test_a_claim_takes_no_more_than_it_may(storage: Storage) -> None:
    await insert(storage, *(stateless(lane=lane) for lane in [Lane.INTERACTIVE] * 3 + [Lane.BATCH] * 10))
    first = await storage.queue.claim("worker", limit=2, interactive=5)
    assert [leased.lane for leased in first] == [Lane.INTERACTIVE] * 3 + [Lane.BATCH] * 2
    assert await storage.queue.claim("worker", limit=0, interactive=5) == []
    assert len(await storage.queue.claim("worker", limit=5, interactive=3)) == 3


async def test_a_younger_run_of_an_earlier_lane_goes_first(storage: Storage) -> None:
    for lane in (Lane.BATCH, Lane.SINGLE, Lane.INTERACTIVE):
        await insert(storage, stateless(lane=lane))
    lanes = [(await storage.queue.claim("worker", limit=1, interactive=1))[0].lane for _ in range(3)]
    assert lanes == [Lane.INTERACTIVE, Lane.SINGLE, Lane.BATCH]


async def test_only_interactive_runs_go_past_the_limit(storage: Storage) -> None:
    await insert(storage, stateless(lane=Lane.BATCH), stateless(lane=Lane.INTERACTIVE))
    claimed = await storage.queue.claim("worker", limit=0, interactive=4)
    assert [leased.lane for leased in claimed] == [Lane.INTERACTIVE]


async def test_each_claim_is_a_new_attempt(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    for attempt in (1, 2, 3):
        lease = (await claim(storage, "worker", new_run)).lease
        assert lease.attempt == attempt
        run = await storage.runs.get(Scope.everything(), new_run.thread_id, new_run.run_id)
        assert run is not None
        assert run.kwargs["config"]["metadata"]["run_attempt"] == attempt
        await storage.queue.release(lease)


async def test_a_released_run_keeps_its_place(storage: Storage) -> None:
    first, second = await insert(storage, stateless()), await insert(storage, stateless())
    await storage.queue.release((await claim(storage, "worker", first)).lease)
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [first.run_id, second.run_id]


async def test_the_depth_of_the_queue(storage: Storage) -> None:
    depth = await storage.queue.depth()
    assert (depth.ready, depth.waiting, depth.delayed, depth.running, depth.oldest) == (0, 0, 0, 0, 0.0)
    thread_id = await idle_thread(storage)
    await insert(storage, on_thread(thread_id), on_thread(thread_id), stateless(delay=60.0), stateless())
    await storage.queue.claim("worker", limit=1, interactive=1)
    depth = await storage.queue.depth()
    assert (depth.ready, depth.waiting, depth.delayed, depth.running) == (1, 1, 1, 1)
    assert 0 <= depth.oldest < 60


async def test_how_long_runs_wait(storage: Storage) -> None:
    assert await storage.queue.waits() == (0.0, 0.0)
    await insert(storage, stateless(delay=60.0))
    assert await storage.queue.waits() == (0.0, 0.0), "delayed runs do not wait yet"
    thread_id = str(uuid.uuid4())
    await insert(storage, stateless(thread_id=thread_id), stateless())
    await insert(storage, on_thread(thread_id))
    waits, depth = await storage.queue.waits(), await storage.queue.depth()
    assert 0 < waits.median <= waits.longest <= depth.oldest
    await claim_all(storage)
    waits = await storage.queue.waits()
    assert 0 < waits.median == waits.longest, "one waits for its thread"


@pytest.mark.parametrize("room", [1, 8])
async def test_batches_get_their_share_while_single_runs_never_end(storage: Storage, room: int) -> None:
    batch = [await insert(storage, stateless(lane=Lane.BATCH)) for _ in range(4)]
    claimed: list[str] = []
    for _ in range(40 // room):
        await insert(storage, *(stateless(lane=Lane.SINGLE) for _ in range(room)))
        claimed += [leased.lease.run_id for leased in await storage.queue.claim("worker", limit=room, interactive=room)]
    assert {run.run_id for run in batch} <= {*claimed}


async def test_single_runs_go_first_where_there_is_room_for_all(storage: Storage) -> None:
    for _ in range(5):
        await insert(storage, stateless(lane=Lane.BATCH), stateless(lane=Lane.SINGLE))
        claimed = await storage.queue.claim("worker", limit=4, interactive=4)
        assert [leased.lane for leased in claimed] == [Lane.SINGLE, Lane.BATCH]


async def test_a_run_is_executed_for_whoever_made_it_however_often_it_begins(storage: Storage) -> None:
    user = '{"identity":"ann","token":"secret"}'
    await storage.runs.insert(Scope(identity="ann", user=user), [stateless()])
    await storage.runs.insert(Scope.everything(), [stateless()])
    (anns, nobodys) = await claim_all(storage)
    assert (anns.user, nobodys.user) == (user, None)
    assert "secret" not in repr(anns)
    await storage.queue.release(anns.lease)
    (again,) = await claim_all(storage)
    assert again.user == user


async def test_what_a_run_waits_for_is_claimed_before_all_others(storage: Storage) -> None:
    others = [await insert(storage, stateless(lane=Lane.INTERACTIVE)) for _ in range(3)]
    awaited = await insert(storage, stateless(lane=Lane.SINGLE))
    assert await storage.queue.hasten(awaited.run_id) == 1
    claimed = await storage.queue.claim("worker", limit=0, interactive=2)
    assert [leased.lease.run_id for leased in claimed] == [awaited.run_id, others[0].run_id]
    assert claimed[0].lane == Lane.AWAITED


async def test_runs_before_an_awaited_one_on_its_thread_are_hastened_too(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    await insert(storage, stateless(lane=Lane.INTERACTIVE))
    before, awaited, behind = [await insert(storage, on_thread(thread_id)) for _ in range(3)]
    assert await storage.queue.hasten(awaited.run_id) == 1
    for run in (before, awaited):
        (claimed,) = await storage.queue.claim("worker", limit=1, interactive=1)
        assert claimed.lease.run_id == run.run_id
        await storage.queue.finish(finish_request(claimed.lease))
    (claimed,) = await storage.queue.claim("worker", limit=1, interactive=1)
    assert claimed.lease.run_id != behind.run_id


async def test_a_run_that_is_not_in_the_queue_cannot_be_hastened(storage: Storage) -> None:
    run = await insert(storage, stateless())
    leased = await claim(storage, "worker", run)
    assert await storage.queue.hasten(run.run_id) == 0
    await storage.queue.finish(finish_request(leased.lease))
    assert await storage.queue.hasten(run.run_id) == 0
    assert await storage.queue.hasten(str(uuid.uuid4())) == 0


async def test_a_claim_says_who_made_the_run(storage: Storage) -> None:
    await storage.runs.insert(Scope(identity="ann"), [stateless()])
    await storage.runs.insert(Scope.everything(), [stateless()])
    assert [leased.creator for leased in await claim_all(storage)] == ["ann", None]


async def test_a_thread_with_checkpoints_is_never_claimed_as_one_without(storage: Storage) -> None:
    first = await claim(storage, "worker", await insert(storage, stateless()))
    thread_id = first.lease.thread_id
    await storage.queue.finish(finish_request(first.lease), [checkpoint_row(thread_id, "c1")])
    second = await claim(storage, "worker", await insert(storage, on_thread(thread_id)))
    assert not second.fresh
