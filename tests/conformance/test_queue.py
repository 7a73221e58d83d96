"""Claiming, ending, giving back: the life of a run in the hands of workers."""

from __future__ import annotations

import json

import pytest

from runyard.runtime.errors import LeaseLost
from runyard.runtime.storage.port import Storage
from runyard.runtime.storage.records import EventChunk, Lane

from .making import (
    checkpoint,
    claim,
    claim_all,
    ending,
    failing,
    on_thread,
    put,
    put_thread,
    stateless,
    status,
    thread_status,
    write,
)


async def test_nothing_is_claimed_from_an_empty_queue(storage: Storage) -> None:
    assert await claim_all(storage) == []
    assert await storage.queue.claim("worker", limit=1, interactive=1, solo=True) == []


async def test_lanes_are_claimed_in_order_and_runs_of_a_lane_by_age(storage: Storage) -> None:
    lanes = (Lane.BATCH, Lane.SINGLE, Lane.INTERACTIVE, Lane.BATCH, Lane.SINGLE, Lane.INTERACTIVE)
    drafts = [await put(storage, stateless(lane=lane)) for lane in lanes]
    claimed = await storage.queue.claim("worker", limit=10, interactive=10)
    by_lane = sorted(range(6), key=lambda index: (lanes[index], index))
    assert [leased.lease.run_id for leased in claimed] == [drafts[index].run_id for index in by_lane]


async def test_a_claim_takes_no_more_than_it_may(storage: Storage) -> None:
    await put(storage, *(stateless(lane=lane) for lane in [Lane.INTERACTIVE] * 3 + [Lane.BATCH] * 10))
    first = await storage.queue.claim("worker", limit=2, interactive=5)
    assert [leased.lane for leased in first] == [Lane.INTERACTIVE] * 3 + [Lane.BATCH] * 2
    assert await storage.queue.claim("worker", limit=0, interactive=5) == []
    assert len(await storage.queue.claim("worker", limit=5, interactive=3)) == 3


async def test_only_interactive_runs_go_past_the_limit(storage: Storage) -> None:
    await put(storage, stateless(lane=Lane.BATCH), stateless(lane=Lane.INTERACTIVE))
    claimed = await storage.queue.claim("worker", limit=0, interactive=4)
    assert [leased.lane for leased in claimed] == [Lane.INTERACTIVE]


async def test_each_claim_is_a_new_attempt(storage: Storage) -> None:
    draft = await put(storage, stateless())
    for attempt in (1, 2, 3):
        lease = (await claim(storage, "worker", draft)).lease
        assert lease.attempt == attempt
        run = await storage.runs.get(draft.thread_id, draft.run_id)
        assert run is not None
        assert run.kwargs["config"]["metadata"]["run_attempt"] == attempt
        await storage.queue.release(lease)


async def test_the_end_of_a_run_settles_its_thread(storage: Storage) -> None:
    draft = await put(storage, stateless())
    lease = (await claim(storage, "worker", draft)).lease
    await storage.queue.finish(ending(lease))
    thread = await storage.threads.get(draft.thread_id)
    assert thread is not None
    assert (thread.status, thread.values, thread.interrupts, thread.error) == ("idle", {"n": 111}, {}, None)
    (ended,) = await storage.runs.ended([draft.run_id])
    assert (ended.run_id, ended.status, ended.answer) == (draft.run_id, "success", b'{"n":111}')


async def test_a_pause_leaves_the_thread_interrupted_and_the_run_a_success(storage: Storage) -> None:
    draft = await put(storage, stateless())
    lease = (await claim(storage, "worker", draft)).lease
    question = {"task": [{"id": "i", "value": "ok?"}]}
    await storage.queue.finish(ending(lease, paused=True, interrupts=json.dumps(question).encode()))
    thread = await storage.threads.get(draft.thread_id)
    assert thread is not None
    assert (thread.status, thread.interrupts) == ("interrupted", question)
    assert await status(storage, draft) == "success"
    answer = await put(storage, on_thread(draft.thread_id))
    assert await thread_status(storage, draft.thread_id) == "busy"
    await storage.queue.finish(ending((await claim(storage, "worker", answer)).lease))
    thread = await storage.threads.get(draft.thread_id)
    assert thread is not None
    assert (thread.status, thread.interrupts) == ("idle", {})


async def test_a_failure_shows_in_the_thread_until_a_run_succeeds(storage: Storage) -> None:
    draft = await put(storage, stateless())
    await storage.queue.finish(failing((await claim(storage, "worker", draft)).lease))
    thread = await storage.threads.get(draft.thread_id)
    assert thread is not None
    assert (thread.status, thread.error) == ("error", {"error": "ValueError", "message": "boom"})
    better = await put(storage, on_thread(draft.thread_id))
    await storage.queue.finish(ending((await claim(storage, "worker", better)).lease))
    thread = await storage.threads.get(draft.thread_id)
    assert thread is not None
    assert (thread.status, thread.error) == ("idle", None)


async def test_a_cancelled_run_leaves_a_paused_thread_paused(storage: Storage) -> None:
    draft = await put(storage, stateless())
    await storage.queue.finish(ending((await claim(storage, "worker", draft)).lease, paused=True))
    never = await put(storage, on_thread(draft.thread_id))
    await storage.runs.cancel([(never.thread_id, never.run_id)], "interrupt")
    assert await thread_status(storage, draft.thread_id) == "interrupted"


async def test_a_thread_stays_busy_while_a_delayed_run_is_to_come(storage: Storage) -> None:
    draft = await put(storage, stateless())
    later = await put(storage, on_thread(draft.thread_id, delay=3600.0))
    await storage.queue.finish(ending((await claim(storage, "worker", draft)).lease))
    assert await thread_status(storage, draft.thread_id) == "busy"
    await storage.runs.cancel([(later.thread_id, later.run_id)], "interrupt")
    assert await thread_status(storage, draft.thread_id) == "idle"


async def test_a_temporary_thread_goes_with_its_run_and_the_answer_stays(storage: Storage) -> None:
    draft = await put(storage, stateless(temporary=True))
    leased = await claim(storage, "worker", draft)
    assert leased.temporary
    await storage.queue.finish(ending(leased.lease, temporary=True))
    assert await thread_status(storage, draft.thread_id) is None
    assert await status(storage, draft) is None
    (ended,) = await storage.runs.ended([draft.run_id])
    assert (ended.status, ended.answer) == ("success", b'{"n":111}')


async def test_a_temporary_thread_stays_for_a_run_that_was_put_on_it(storage: Storage) -> None:
    first = await put(storage, stateless(temporary=True))
    lease = (await claim(storage, "worker", first)).lease
    second = await put(storage, on_thread(first.thread_id))
    assert (await storage.queue.finish(ending(lease, temporary=True))).promoted == 1
    assert await thread_status(storage, first.thread_id) == "busy"
    await storage.queue.finish(ending((await claim(storage, "worker", second)).lease))
    assert await thread_status(storage, first.thread_id) == "idle"


ENDS = ("finish", "cancel", "roll back", "reap", "reap cancelled", "cancel released", "roll back released", "delete")


@pytest.mark.parametrize("end", ENDS)
async def test_a_temporary_run_leaves_no_checkpoints_however_it_ends(storage: Storage, end: str) -> None:
    draft = await put(storage, stateless(temporary=True))
    lease = (await claim(storage, "worker", draft)).lease
    rows = [
        checkpoint(draft.thread_id, "1", run_id=draft.run_id),
        write(draft.thread_id, "1", run_id=draft.run_id),
    ]
    storage.checkpoints.post(lease, rows)
    await storage.checkpoints.flush(lease)
    run = (draft.thread_id, draft.run_id)
    finish = ending(lease, temporary=True, spilled=True)
    match end:
        case "finish":
            await storage.queue.finish(finish)
        case "cancel" | "roll back":
            action = "interrupt" if end == "cancel" else "rollback"
            await storage.runs.cancel([run], action)
            await storage.queue.finish_cancelled(finish, action)
        case "reap" | "reap cancelled":
            if end == "reap cancelled":
                await storage.runs.cancel([run], "interrupt")
            assert (await storage.queue.reap("worker", max_attempts=1)).ended == [draft.run_id]
        case "cancel released" | "roll back released":
            await storage.queue.release(lease)
            await storage.runs.cancel([run], "rollback" if end.startswith("roll") else "interrupt")
        case "delete":
            await storage.runs.delete(*run)
    assert await thread_status(storage, draft.thread_id) is None
    assert storage.checkpoints.history(draft.thread_id, None, before=None, limit=None) == []
    assert storage.checkpoints.blobs(draft.thread_id, "", {"log": "1"}) == {}


async def test_a_kept_thread_keeps_its_checkpoints_when_a_run_on_it_is_cancelled(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    storage.checkpoints.post(None, [checkpoint(thread_id, "1")])
    draft = await put(storage, on_thread(thread_id))
    await storage.runs.cancel([(thread_id, draft.run_id)], "interrupt")
    assert storage.checkpoints.get(thread_id, "", "1") is not None


async def test_rolling_back_removes_what_the_run_wrote_and_nothing_else(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    storage.checkpoints.post(None, [checkpoint(thread_id, "1", run_id="before")])
    draft = await put(storage, on_thread(thread_id))
    lease = (await claim(storage, "worker", draft)).lease
    storage.checkpoints.post(
        lease,
        [
            checkpoint(thread_id, "2", run_id=draft.run_id, blobs=[("log", "2", "msgpack", b"new")]),
            write(thread_id, "1", run_id=draft.run_id),
        ],
    )
    await storage.events.append(lease, EventChunk(1, 2, b"events"))
    await storage.runs.cancel([(thread_id, draft.run_id)], "rollback")
    finished = await storage.queue.finish_cancelled(ending(lease, status="interrupted"), "rollback")
    assert not finished.webhook
    assert await status(storage, draft) is None
    assert await storage.events.read(draft.run_id, 0) == []
    (left,) = storage.checkpoints.history(thread_id, None, before=None, limit=None)
    assert (left.checkpoint_id, left.writes) == ("1", [])
    assert list(storage.checkpoints.blobs(thread_id, "", {"log": "1"})) == ["log"]
    assert storage.checkpoints.blobs(thread_id, "", {"log": "2"}) == {}
    thread = await storage.threads.get(thread_id)
    assert thread is not None
    assert (thread.status, thread.values) == ("idle", {"n": 111})


async def test_a_released_run_keeps_its_place(storage: Storage) -> None:
    first, second = await put(storage, stateless()), await put(storage, stateless())
    await storage.queue.release((await claim(storage, "worker", first)).lease)
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [first.run_id, second.run_id]


async def test_a_worker_is_known_by_its_heartbeat(storage: Storage) -> None:
    await storage.queue.heartbeat("one", 11, None)
    await storage.queue.heartbeat("two", 22, [])
    assert sorted(await storage.queue.stale_workers(-1.0)) == [("one", 11), ("two", 22)]
    assert await storage.queue.stale_workers(60.0) == []
    await storage.queue.reap("one", max_attempts=3)
    assert await storage.queue.stale_workers(-1.0) == [("two", 22)]


async def test_a_worker_that_never_gave_a_sign_is_stale_when_it_holds_a_run(storage: Storage) -> None:
    draft = await put(storage, stateless())
    await claim(storage, "ghost", draft)
    assert await storage.queue.stale_workers(60.0) == [("ghost", 0)]
    await storage.queue.reap("ghost", max_attempts=3)
    assert await storage.queue.stale_workers(60.0) == []
    assert await status(storage, draft) == "pending"


async def test_a_heartbeat_tells_what_is_cancelled_and_what_is_lost(storage: Storage) -> None:
    held, cancelled, lost = [await put(storage, stateless()) for _ in range(3)]
    leases = {leased.lease.run_id: leased.lease for leased in await claim_all(storage)}
    await storage.runs.cancel([(cancelled.thread_id, cancelled.run_id)], "rollback")
    await storage.queue.finish(ending(leases[lost.run_id]))
    answer = await storage.queue.heartbeat("worker", 1, list(leases.values()))
    assert answer.cancels == {leases[cancelled.run_id].seq: "rollback"}
    assert answer.lost == [leases[lost.run_id].seq]
    assert await status(storage, held) == "running"


async def test_a_claim_is_not_given_back_while_its_answer_may_be_under_way(storage: Storage) -> None:
    draft = await put(storage, stateless())
    await claim(storage, "worker", draft)
    await storage.queue.heartbeat("worker", 1, [])
    assert await status(storage, draft) == "running"


@pytest.mark.usefixtures("settled")
async def test_giving_back_what_was_lost_does_not_count_as_a_crash(storage: Storage) -> None:
    draft = await put(storage, stateless())
    for _ in range(5):
        lease = (await claim(storage, "worker", draft)).lease
        await storage.queue.heartbeat("worker", 1, [])
    assert lease.attempt == 5
    lease = (await claim(storage, "worker", draft)).lease
    assert (await storage.queue.reap("worker", max_attempts=2)).solo == 1


async def test_the_runs_of_a_dead_worker_go_back_and_end_when_it_happens_too_often(storage: Storage) -> None:
    draft = await put(storage, stateless())
    await claim(storage, "first", draft)
    reaped = await storage.queue.reap("first", max_attempts=3)
    assert (reaped.requeued, reaped.solo, reaped.ended) == (1, 0, [])
    await claim(storage, "second", draft)
    reaped = await storage.queue.reap("second", max_attempts=3)
    assert (reaped.requeued, reaped.solo, reaped.ended) == (0, 1, [])
    assert await storage.queue.solo_waiting()
    assert await claim_all(storage) == []
    (leased,) = await storage.queue.claim("third", limit=5, interactive=5, solo=True)
    assert not await storage.queue.solo_waiting()
    assert leased.lease.attempt == 3
    reaped = await storage.queue.reap("third", max_attempts=3)
    assert (reaped.requeued, reaped.solo, reaped.ended) == (0, 0, [draft.run_id])
    assert await status(storage, draft) == "error"
    assert await thread_status(storage, draft.thread_id) == "error"
    thread = await storage.threads.get(draft.thread_id)
    assert thread is not None
    assert thread.error is not None
    (ended,) = await storage.runs.ended([draft.run_id])
    assert json.loads(ended.answer)["__error__"] == thread.error


async def test_a_solo_worker_takes_one_run_at_a_time(storage: Storage) -> None:
    await put(storage, *(stateless() for _ in range(3)))
    await claim_all(storage, "worker")
    await storage.queue.reap("worker", max_attempts=2)
    assert len(await storage.queue.claim("solo", limit=9, interactive=9, solo=True)) == 1
    assert len(await storage.queue.claim("other", limit=9, interactive=9, solo=True)) == 1


async def test_reaping_touches_no_other_worker(storage: Storage) -> None:
    mine, theirs = await put(storage, stateless()), await put(storage, stateless())
    await claim(storage, "dead", mine)
    await claim(storage, "alive", theirs)
    assert (await storage.queue.reap("dead", max_attempts=3)).requeued == 1
    assert await status(storage, theirs) == "running"


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_run_that_was_to_stop_ends_with_its_dead_worker(storage: Storage, action: str) -> None:
    draft = await put(storage, on_thread(await put_thread(storage)))
    lease = (await claim(storage, "worker", draft)).lease
    storage.checkpoints.post(lease, [checkpoint(draft.thread_id, "1", run_id=draft.run_id)])
    waiting = await put(storage, on_thread(draft.thread_id))
    await storage.runs.cancel([(draft.thread_id, draft.run_id)], action)
    reaped = await storage.queue.reap("worker", max_attempts=3)
    assert reaped.ended == [draft.run_id]
    assert reaped.promoted == 1, "workers have to be woken for the run that waited"
    assert await status(storage, draft) == ("interrupted" if action == "interrupt" else None)
    left = storage.checkpoints.get(draft.thread_id, "", "1")
    assert (left is None) == (action == "rollback")
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [waiting.run_id]


async def test_a_requeued_run_stays_ahead_in_its_thread(storage: Storage) -> None:
    first = await put(storage, on_thread(await put_thread(storage)))
    await put(storage, on_thread(first.thread_id))
    await claim(storage, "worker", first)
    await storage.queue.reap("worker", max_attempts=3)
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [first.run_id]


async def test_the_depth_of_the_queue(storage: Storage) -> None:
    depth = await storage.queue.depth()
    assert (depth.ready, depth.waiting, depth.delayed, depth.running, depth.oldest) == (0, 0, 0, 0, 0.0)
    thread_id = await put_thread(storage)
    await put(storage, on_thread(thread_id), on_thread(thread_id), stateless(delay=60.0), stateless())
    await storage.queue.claim("worker", limit=1, interactive=1)
    depth = await storage.queue.depth()
    assert (depth.ready, depth.waiting, depth.delayed, depth.running) == (1, 1, 1, 1)
    assert 0 <= depth.oldest < 60


async def test_a_lease_holds_for_one_attempt_of_one_worker(storage: Storage) -> None:
    draft = await put(storage, stateless())
    old = (await claim(storage, "worker", draft)).lease
    await storage.queue.release(old)
    new = (await claim(storage, "worker", draft)).lease
    assert old != new
    with pytest.raises(LeaseLost):
        await storage.queue.finish(ending(old))
    with pytest.raises(LeaseLost):
        await storage.queue.release(old)
    assert await status(storage, draft) == "running"
    await storage.queue.finish(ending(new))
    assert await status(storage, draft) == "success"
