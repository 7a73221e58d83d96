"""Accepting runs: all of a batch or nothing, and the multitask strategies."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from runyard.runtime.errors import Conflict, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.runs import Lane
from runyard.runtime.storage.port.storage import Storage

from .builders import (
    claim,
    claim_all,
    finish_request,
    idle_thread,
    insert,
    on_thread,
    run_status,
    stateless,
    thread_status,
)


async def test_runs_of_a_batch_come_back_and_are_claimed_in_order(storage: Storage) -> None:
    new_runs = [stateless(lane=Lane.BATCH) for _ in range(50)]
    inserted = await storage.runs.insert(Scope.everything(), new_runs)
    wanted = [new_run.run_id for new_run in new_runs]
    assert [run.run_id for run in inserted.runs] == wanted
    assert {run.status for run in inserted.runs} == {"pending"}
    assert inserted.ready == 50
    assert not inserted.cancelled.ended
    assert not inserted.cancelled.requested
    assert [leased.lease.run_id for leased in await claim_all(storage)] == wanted


async def test_a_run_shows_what_it_was_written_with(storage: Storage) -> None:
    new_run = stateless(metadata={"k": [1, "two"], "assistant_id": "x"}, strategy="reject")
    (created,) = (await storage.runs.insert(Scope.everything(), [new_run])).runs
    found = await storage.runs.get(Scope.everything(), new_run.thread_id, new_run.run_id)
    assert found == created
    assert found is not None
    assert found.kwargs["input"] == {"n": 1}
    assert found.kwargs["config"]["metadata"] == found.metadata == new_run.metadata
    assert found.multitask_strategy == "reject"
    leased = await claim(storage, "worker", new_run)
    assert leased.kwargs["input"] == {"n": 1}
    assert leased.metadata == new_run.metadata


async def test_a_stateless_run_makes_its_thread(storage: Storage) -> None:
    new_run = await insert(storage, stateless(thread_metadata={"graph_id": "chain", "mine": "yes"}))
    thread = await storage.threads.get(Scope.everything(), new_run.thread_id)
    assert thread is not None
    assert (thread.status, thread.metadata) == ("busy", {"graph_id": "chain", "mine": "yes"})
    assert await storage.threads.graph_ids(Scope.everything(), new_run.thread_id) == ["chain", "chain"]


async def test_of_runs_that_come_at_once_each_is_answered_for_itself(storage: Storage) -> None:
    others = [stateless(temporary=number % 2 == 0) for number in range(40)]
    delayed = stateless(delay=1_000.0, expiry=Expiry("delete", 90.5), metadata={"mine": "yes"})
    asked = [*others[:20], delayed, *others[20:]]
    answers = await asyncio.gather(*(storage.runs.insert(Scope.everything(), [each]) for each in asked))
    for new_run, answer in zip(asked, answers, strict=True):
        assert answer.ready == (new_run is not delayed)
        assert answer.runs == [await storage.runs.get(Scope.everything(), new_run.thread_id, new_run.run_id)]
    thread = await storage.threads.get(Scope.everything(), delayed.thread_id)
    assert thread is not None
    assert thread.ttl is not None
    assert (thread.ttl.strategy, thread.ttl.ttl_minutes) == ("delete", 90.5)
    claimed = {each.lease.run_id: each.temporary for each in await claim_all(storage)}
    assert claimed == {new_run.run_id: new_run.temporary for new_run in others}


async def test_one_impossible_run_refuses_the_batch(storage: Storage) -> None:
    good = [stateless() for _ in range(20)]
    with pytest.raises(NotFound):
        await storage.runs.insert(Scope.everything(), [*good, on_thread(str(uuid.uuid4()))])
    for new_run in good:
        assert await run_status(storage, new_run) is None
        assert await thread_status(storage, new_run.thread_id) is None
    assert (await storage.queue.depth()).ready == 0


async def test_a_batch_that_is_refused_takes_back_what_it_cancelled(storage: Storage) -> None:
    threads = await idle_thread(storage), await idle_thread(storage)
    first, busy = [await insert(storage, on_thread(thread_id)) for thread_id in threads]
    with pytest.raises(Conflict):
        await storage.runs.insert(
            Scope.everything(),
            [on_thread(first.thread_id, strategy="rollback"), on_thread(busy.thread_id, strategy="reject")],
        )
    assert await run_status(storage, first) == "pending"
    assert len(await claim_all(storage)) == 2


async def test_a_run_id_is_taken_once(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    with pytest.raises(Exception):  # noqa: B017, PT011 - a defect of the caller; what is raised is the backend's
        await storage.runs.insert(Scope.everything(), [stateless(), stateless(run_id=new_run.run_id)])
    assert (await storage.queue.depth()).ready == 1


async def test_a_thread_that_is_missing_is_made_where_asked(storage: Storage) -> None:
    new_run = await insert(storage, on_thread(str(uuid.uuid4()), create_thread=True))
    assert await thread_status(storage, new_run.thread_id) == "busy"
    await storage.queue.finish(finish_request((await claim(storage, "worker", new_run)).lease))
    assert await thread_status(storage, new_run.thread_id) == "idle"


async def test_a_run_takes_over_the_metadata_of_its_thread(storage: Storage) -> None:
    made = await insert(storage, stateless(thread_metadata={"graph_id": "chain", "mine": "thread"}))
    await storage.queue.finish(finish_request((await claim(storage, "worker", made)).lease))
    (run,) = (await storage.runs.insert(Scope.everything(), [on_thread(made.thread_id, metadata={"own": 1})])).runs
    assert run.metadata["mine"] == "thread"
    assert run.metadata["own"] == 1


async def test_runs_of_one_thread_are_executed_in_the_order_of_their_creation(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    new_runs = [on_thread(thread_id, lane=lane) for lane in (Lane.BATCH, Lane.SINGLE, Lane.INTERACTIVE, Lane.SINGLE)]
    await storage.runs.insert(Scope.everything(), new_runs[:2])
    await storage.runs.insert(Scope.everything(), new_runs[2:])
    for position, new_run in enumerate(new_runs):
        (leased,) = await claim_all(storage)
        assert leased.lease.run_id == new_run.run_id
        assert await claim_all(storage) == []
        finished = await storage.queue.finish(finish_request(leased.lease))
        assert finished.promoted == (1 if position < 3 else 0)
        assert await thread_status(storage, thread_id) == ("busy" if position < 3 else "idle")


async def test_several_runs_for_one_thread_in_one_batch(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    new_runs = [on_thread(thread_id) for _ in range(3)]
    inserted = await storage.runs.insert(Scope.everything(), new_runs)
    assert inserted.ready == 1
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [new_runs[0].run_id]


async def test_interrupt_asks_the_running_run_to_stop_and_waits_for_it(storage: Storage) -> None:
    first = await insert(storage, on_thread(await idle_thread(storage)))
    lease = (await claim(storage, "worker", first)).lease
    between = await insert(storage, on_thread(first.thread_id))
    newest = on_thread(first.thread_id, strategy="interrupt")
    inserted = await storage.runs.insert(Scope.everything(), [newest])
    assert inserted.ready == 0
    assert inserted.cancelled.requested == {first.run_id: "worker"}
    assert inserted.cancelled.ended == [between.run_id]
    assert (await storage.workers.heartbeat("worker", [lease])).cancels == {lease.seq: "interrupt"}
    assert await claim_all(storage) == []
    await storage.queue.finish(finish_request(lease, status="interrupted"))
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [newest.run_id]
    assert await run_status(storage, first) == await run_status(storage, between) == "interrupted"


async def test_rollback_removes_what_was_under_way(storage: Storage) -> None:
    first = await insert(storage, on_thread(await idle_thread(storage)))
    lease = (await claim(storage, "worker", first)).lease
    between = await insert(storage, on_thread(first.thread_id))
    newest = on_thread(first.thread_id, strategy="rollback")
    inserted = await storage.runs.insert(Scope.everything(), [newest])
    assert inserted.cancelled.requested == {first.run_id: "worker"}
    assert await run_status(storage, between) is None
    assert (await storage.workers.heartbeat("worker", [lease])).cancels == {lease.seq: "rollback"}
    finished = await storage.queue.finish(finish_request(lease, status="interrupted"))
    assert finished.promoted == 1
    assert await run_status(storage, first) is None
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [newest.run_id]


async def test_interrupt_takes_the_place_of_a_run_that_has_not_begun(storage: Storage) -> None:
    first = await insert(storage, on_thread(await idle_thread(storage)))
    newest = on_thread(first.thread_id, strategy="interrupt")
    inserted = await storage.runs.insert(Scope.everything(), [newest])
    assert inserted.ready == 1
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [newest.run_id]


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_the_thread_of_a_temporary_run_stays_for_the_run_that_takes_its_place(
    storage: Storage, strategy: str
) -> None:
    first = await insert(storage, stateless(temporary=True))
    newest = await insert(storage, on_thread(first.thread_id, strategy=strategy))
    assert await thread_status(storage, first.thread_id) == "busy"
    await storage.queue.finish(finish_request((await claim(storage, "worker", newest)).lease))
    assert await run_status(storage, newest) == "success"
    assert await thread_status(storage, first.thread_id) == "idle"
