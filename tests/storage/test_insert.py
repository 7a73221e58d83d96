"""Accepting runs: all of a batch or nothing, and the multitask strategies."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from runyard.runtime.errors import Conflict, NotFound
from runyard.runtime.storage.port.runs import Lane
from runyard.runtime.storage.port.storage import Storage

from .making import claim, claim_all, ending, on_thread, put, put_thread, stateless, status, thread_status


async def test_runs_of_a_batch_come_back_and_are_claimed_in_order(storage: Storage) -> None:
    drafts = [stateless(lane=Lane.BATCH) for _ in range(50)]
    inserted = await storage.runs.insert(drafts)
    wanted = [draft.run_id for draft in drafts]
    assert [run.run_id for run in inserted.runs] == wanted
    assert {run.status for run in inserted.runs} == {"pending"}
    assert inserted.ready == 50
    assert not inserted.cancelled.ended
    assert not inserted.cancelled.requested
    assert [leased.lease.run_id for leased in await claim_all(storage)] == wanted


async def test_a_run_shows_what_it_was_written_with(storage: Storage) -> None:
    draft = stateless(metadata={"k": [1, "two"], "assistant_id": "x"}, strategy="reject")
    (created,) = (await storage.runs.insert([draft])).runs
    found = await storage.runs.get(draft.thread_id, draft.run_id)
    assert found == created
    assert found is not None
    assert found.kwargs["input"] == {"n": 1}
    assert found.kwargs["config"]["metadata"] == found.metadata == draft.metadata
    assert found.multitask_strategy == "reject"
    leased = await claim(storage, "worker", draft)
    assert leased.kwargs["input"] == {"n": 1}
    assert leased.metadata == draft.metadata


async def test_a_stateless_run_makes_its_thread(storage: Storage) -> None:
    draft = await put(storage, stateless(thread_metadata={"graph_id": "chain", "mine": "yes"}))
    thread = await storage.threads.get(draft.thread_id)
    assert thread is not None
    assert (thread.status, thread.metadata) == ("busy", {"graph_id": "chain", "mine": "yes"})
    assert await storage.threads.graph_ids(draft.thread_id) == ["chain", "chain"]


async def test_one_impossible_run_refuses_the_batch(storage: Storage) -> None:
    good = [stateless() for _ in range(20)]
    with pytest.raises(NotFound):
        await storage.runs.insert([*good, on_thread(str(uuid.uuid4()))])
    for draft in good:
        assert await status(storage, draft) is None
        assert await thread_status(storage, draft.thread_id) is None
    assert (await storage.queue.depth()).ready == 0


async def test_a_batch_that_is_refused_takes_back_what_it_cancelled(storage: Storage) -> None:
    threads = await put_thread(storage), await put_thread(storage)
    first, busy = [await put(storage, on_thread(thread_id)) for thread_id in threads]
    with pytest.raises(Conflict):
        await storage.runs.insert(
            [on_thread(first.thread_id, strategy="rollback"), on_thread(busy.thread_id, strategy="reject")]
        )
    assert await status(storage, first) == "pending"
    assert len(await claim_all(storage)) == 2


async def test_a_run_id_is_taken_once(storage: Storage) -> None:
    draft = await put(storage, stateless())
    with pytest.raises(Exception):  # noqa: B017, PT011 - a defect of the caller; what is raised is the backend's
        await storage.runs.insert([stateless(), stateless(run_id=draft.run_id)])
    assert (await storage.queue.depth()).ready == 1


async def test_a_thread_that_is_missing_is_made_where_asked(storage: Storage) -> None:
    draft = await put(storage, on_thread(str(uuid.uuid4()), create_thread=True))
    assert await thread_status(storage, draft.thread_id) == "busy"
    await storage.queue.finish(ending((await claim(storage, "worker", draft)).lease))
    assert await thread_status(storage, draft.thread_id) == "idle"


async def test_a_run_takes_over_the_metadata_of_its_thread(storage: Storage) -> None:
    made = await put(storage, stateless(thread_metadata={"graph_id": "chain", "mine": "thread"}))
    await storage.queue.finish(ending((await claim(storage, "worker", made)).lease))
    (run,) = (await storage.runs.insert([on_thread(made.thread_id, metadata={"own": 1})])).runs
    assert run.metadata["mine"] == "thread"
    assert run.metadata["own"] == 1


async def test_runs_of_one_thread_are_executed_in_the_order_of_their_creation(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    drafts = [on_thread(thread_id, lane=lane) for lane in (Lane.BATCH, Lane.SINGLE, Lane.INTERACTIVE, Lane.SINGLE)]
    await storage.runs.insert(drafts[:2])
    await storage.runs.insert(drafts[2:])
    for position, draft in enumerate(drafts):
        (leased,) = await claim_all(storage)
        assert leased.lease.run_id == draft.run_id
        assert await claim_all(storage) == []
        finished = await storage.queue.finish(ending(leased.lease))
        assert finished.promoted == (1 if position < 3 else 0)
        assert await thread_status(storage, thread_id) == ("busy" if position < 3 else "idle")


async def test_several_runs_for_one_thread_in_one_batch(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    drafts = [on_thread(thread_id) for _ in range(3)]
    inserted = await storage.runs.insert(drafts)
    assert inserted.ready == 1
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [drafts[0].run_id]


async def test_interrupt_asks_the_running_run_to_stop_and_waits_for_it(storage: Storage) -> None:
    first = await put(storage, on_thread(await put_thread(storage)))
    lease = (await claim(storage, "worker", first)).lease
    between = await put(storage, on_thread(first.thread_id))
    newest = on_thread(first.thread_id, strategy="interrupt")
    inserted = await storage.runs.insert([newest])
    assert inserted.ready == 0
    assert inserted.cancelled.requested == {first.run_id: "worker"}
    assert inserted.cancelled.ended == [between.run_id]
    assert (await storage.workers.heartbeat("worker", 1, [lease])).cancels == {lease.seq: "interrupt"}
    assert await claim_all(storage) == []
    await storage.queue.finish_cancelled(ending(lease, status="interrupted"), "interrupt")
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [newest.run_id]
    assert await status(storage, first) == await status(storage, between) == "interrupted"


async def test_rollback_removes_what_was_under_way(storage: Storage) -> None:
    first = await put(storage, on_thread(await put_thread(storage)))
    lease = (await claim(storage, "worker", first)).lease
    between = await put(storage, on_thread(first.thread_id))
    newest = on_thread(first.thread_id, strategy="rollback")
    inserted = await storage.runs.insert([newest])
    assert inserted.cancelled.requested == {first.run_id: "worker"}
    assert await status(storage, between) is None
    assert (await storage.workers.heartbeat("worker", 1, [lease])).cancels == {lease.seq: "rollback"}
    finished = await storage.queue.finish_cancelled(ending(lease, status="interrupted"), "rollback")
    assert finished.promoted == 1
    assert await status(storage, first) is None
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [newest.run_id]


async def test_interrupt_takes_the_place_of_a_run_that_has_not_begun(storage: Storage) -> None:
    first = await put(storage, on_thread(await put_thread(storage)))
    newest = on_thread(first.thread_id, strategy="interrupt")
    inserted = await storage.runs.insert([newest])
    assert inserted.ready == 1
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [newest.run_id]


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_the_thread_of_a_temporary_run_stays_for_the_run_that_takes_its_place(
    storage: Storage, strategy: str
) -> None:
    first = await put(storage, stateless(temporary=True))
    newest = await put(storage, on_thread(first.thread_id, strategy=strategy))
    assert await thread_status(storage, first.thread_id) == "busy"
    await storage.queue.finish(ending((await claim(storage, "worker", newest)).lease))
    assert await status(storage, newest) == "success"
    assert await thread_status(storage, first.thread_id) == "idle"


async def test_a_delayed_run_does_not_make_others_wait(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    await put(storage, on_thread(thread_id, delay=3600.0))
    draft = await put(storage, on_thread(thread_id, strategy="enqueue"))
    await storage.queue.finish(ending((await claim(storage, "worker", draft)).lease))
    assert (await storage.queue.depth()).delayed == 1


async def test_a_delayed_run_is_company_for_other_strategies(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    later = await put(storage, on_thread(thread_id, delay=3600.0))
    with pytest.raises(Conflict):
        await put(storage, on_thread(thread_id, strategy="reject"))
    await put(storage, on_thread(thread_id, strategy="interrupt"))
    assert await status(storage, later) == "interrupted"


async def test_a_delayed_run_becomes_due(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    later = await put(storage, stateless(delay=3600.0))
    soon = await put(storage, on_thread(thread_id, delay=0.05))
    assert await claim_all(storage) == []
    ready, seconds = await storage.queue.make_due(10)
    assert (ready, seconds is not None and 0 <= seconds <= 0.05) == (0, True)
    while not ready:
        assert seconds is not None
        await asyncio.sleep(seconds)
        ready, seconds = await storage.queue.make_due(10)
    assert ready == 1
    (leased,) = await claim_all(storage)
    assert leased.lease.run_id == soon.run_id
    assert 0 <= leased.waited < 5
    ready, seconds = await storage.queue.make_due(10)
    assert ready == 0
    assert seconds is not None
    assert 3500 < seconds <= 3600
    assert await status(storage, later) == "pending"


async def test_a_run_that_becomes_due_on_a_busy_thread_waits(storage: Storage) -> None:
    first = await put(storage, on_thread(await put_thread(storage)))
    due = await put(storage, on_thread(first.thread_id, delay=0.001))
    lease = (await claim(storage, "worker", first)).lease
    await until_due(storage, waiting=1)
    assert await claim_all(storage) == []
    assert (await storage.queue.finish(ending(lease))).promoted == 1
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [due.run_id]


async def test_two_runs_of_one_thread_that_become_due_together_run_one_after_the_other(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    await put(storage, *(on_thread(thread_id, delay=0.001) for _ in range(2)))
    await until_due(storage, waiting=1)
    assert len(await claim_all(storage)) == 1


async def test_delayed_runs_become_due_in_portions(storage: Storage) -> None:
    await put(storage, *(stateless(delay=0.001) for _ in range(5)))
    await asyncio.sleep(0.002)
    assert [(await storage.queue.make_due(2))[0] for _ in range(4)] == [2, 2, 1, 0]


async def until_due(storage: Storage, *, waiting: int) -> None:
    async with asyncio.timeout(5):
        while (await storage.queue.depth()).waiting < waiting:
            await storage.queue.make_due(100)
