"""Cancelling, deleting, and finding what can be cancelled."""

from __future__ import annotations

import uuid
from functools import partial

import pytest

from runyard.runtime.lifecycle import CANCELLED
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import CancelAction, NewRun, RunRef
from runyard.runtime.storage.port.storage import Storage

from .builders import (
    claim,
    claim_all,
    finish_request,
    idle_thread,
    insert,
    on_thread,
    ref,
    run_status,
    stateless,
    thread_status,
)


async def test_cancelling_a_pending_run_ends_it(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    outcome = await storage.runs.cancel(Scope.everything(), [ref(new_run)], "interrupt")
    assert (outcome.ended, outcome.requested) == ([new_run.run_id], {})
    (ended,) = await storage.runs.ended(Scope.everything(), [new_run.run_id])
    assert (ended.status, ended.answer) == ("interrupted", CANCELLED)
    assert await claim_all(storage) == []


async def test_rolling_back_a_pending_run_removes_it(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    outcome = await storage.runs.cancel(Scope.everything(), [ref(new_run)], "rollback")
    assert outcome.ended == [new_run.run_id]
    assert await run_status(storage, new_run) is None
    (ended,) = await storage.runs.ended(Scope.everything(), [new_run.run_id])
    assert ended.status == "error"


async def test_cancelling_a_pending_run_frees_the_next(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    first, second = await insert(storage, on_thread(thread_id)), await insert(storage, on_thread(thread_id))
    outcome = await storage.runs.cancel(Scope.everything(), [ref(first)], "interrupt")
    assert outcome.promoted == 1
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [second.run_id]


async def test_cancelling_a_waiting_run_frees_nothing(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    first, second = await insert(storage, on_thread(thread_id)), await insert(storage, on_thread(thread_id))
    outcome = await storage.runs.cancel(Scope.everything(), [ref(second)], "interrupt")
    assert (outcome.ended, outcome.promoted) == ([second.run_id], 0)
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [first.run_id]


async def test_a_running_run_is_asked_and_may_be_asked_again(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    lease = (await claim(storage, "worker", new_run)).lease
    run = ref(new_run)
    requests: list[tuple[CancelAction, CancelAction]] = [
        ("interrupt", "interrupt"),
        ("rollback", "rollback"),
        ("interrupt", "rollback"),
    ]
    for action, effective in requests:
        outcome = await storage.runs.cancel(Scope.everything(), [run], action)
        assert (outcome.ended, outcome.requested) == ([], {new_run.run_id: "worker"})
        assert (await storage.workers.heartbeat("worker", [lease])).cancels == {lease.seq: effective}


async def reason_of(storage: Storage, new_run: NewRun) -> str | None:
    run = await storage.runs.get(Scope.everything(), new_run.thread_id, new_run.run_id)
    assert run is not None
    return run.cancel_reason


async def test_a_cancelled_run_keeps_the_reason(storage: Storage) -> None:
    pending, running, released = [await insert(storage, stateless()) for _ in range(3)]
    await storage.runs.cancel(Scope.everything(), [ref(pending)], "interrupt", "not needed")
    assert await reason_of(storage, pending) == "not needed"

    lease, other = [leased.lease for leased in await claim_all(storage)]
    for reason in ("first", "second"):
        await storage.runs.cancel(Scope.everything(), [ref(running), ref(released)], "interrupt", reason)
    assert await reason_of(storage, running) is None, "it has not ended"
    await storage.queue.finish(finish_request(lease, status="interrupted"))
    await storage.queue.release(other)
    assert [await reason_of(storage, new_run) for new_run in (running, released)] == ["first", "first"]


async def test_a_run_that_is_cancelled_without_a_reason_has_none(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], "interrupt")
    assert (await run_status(storage, new_run), await reason_of(storage, new_run)) == ("interrupted", None)


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_run_that_is_asked_to_stop_and_given_back_ends(storage: Storage, action: CancelAction) -> None:
    thread_id = await idle_thread(storage)
    new_run, next_run = await insert(storage, on_thread(thread_id)), await insert(storage, on_thread(thread_id))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], action)
    ended = await storage.queue.release(lease)
    assert ended is not None
    assert (ended.cancelled, ended.promoted) == (action, 1)
    assert await run_status(storage, new_run) == ("interrupted" if action == "interrupt" else None)
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [next_run.run_id]


async def test_what_has_ended_or_never_was_is_passed_over(storage: Storage) -> None:
    done, pending = await insert(storage, stateless()), stateless()
    await storage.queue.finish(finish_request((await claim(storage, "worker", done)).lease))
    await insert(storage, pending)
    outcome = await storage.runs.cancel(
        Scope.everything(),
        [
            ref(done),
            RunRef(str(uuid.uuid4()), str(uuid.uuid4())),
            RunRef(done.thread_id, pending.run_id),
            ref(pending),
        ],
        "interrupt",
    )
    assert (outcome.ended, outcome.requested) == ([pending.run_id], {})
    assert await run_status(storage, done) == "success"


async def test_what_can_be_cancelled_is_found_by_thread_run_and_status(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    running, waiting = await insert(storage, on_thread(thread_id)), await insert(storage, on_thread(thread_id))
    await claim(storage, "worker", running)
    elsewhere = await insert(storage, stateless(delay=60.0))

    async def found(**asked: object) -> set[str]:
        given = {"thread_id": None, "run_ids": None, "status": "all", "limit": 10, **asked}
        page = await storage.runs.cancellable(Scope.everything(), **given)  # type: ignore[arg-type]
        assert page.after is None
        return {run.run_id for run in page.runs}

    assert await found() == {running.run_id, waiting.run_id, elsewhere.run_id}
    assert await found(status="pending") == {waiting.run_id, elsewhere.run_id}
    assert await found(status="running") == {running.run_id}
    assert await found(thread_id=thread_id) == {running.run_id, waiting.run_id}
    assert await found(thread_id=thread_id, run_ids=[waiting.run_id, elsewhere.run_id]) == {waiting.run_id}
    assert await found(run_ids=[]) == set()
    page = await storage.runs.cancellable(
        Scope.everything(), thread_id=None, run_ids=[elsewhere.run_id], status="all", limit=10
    )
    assert page.runs == [ref(elsewhere)]


async def test_what_can_be_cancelled_comes_in_pages_that_leave_out_what_is_new(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    there = [await insert(storage, on_thread(thread_id)) for _ in range(3)]
    there += [await insert(storage, stateless()) for _ in range(4)]
    find = partial(storage.runs.cancellable, Scope.everything(), thread_id=None, run_ids=None, status="all", limit=3)
    page = await find()
    found = list(page.runs)
    await storage.runs.cancel(Scope.everything(), page.runs, "rollback")
    for _ in range(5):
        await insert(storage, stateless())
    await insert(storage, on_thread(thread_id))
    while page.after is not None:
        page = await find(after=page.after)
        found += page.runs
    assert sorted(found) == sorted(map(ref, there))


async def test_deleting_a_running_run_takes_its_lease(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    first, second = await insert(storage, on_thread(thread_id)), await insert(storage, on_thread(thread_id))
    lease = (await claim(storage, "worker", first)).lease
    assert await storage.runs.delete(Scope.everything(), thread_id, first.run_id) == 1
    assert await storage.runs.delete(Scope.everything(), thread_id, first.run_id) is None
    assert await storage.runs.delete(Scope.everything(), str(uuid.uuid4()), second.run_id) is None
    assert (await storage.workers.heartbeat("worker", [lease])).lost == [lease.seq]
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [second.run_id]


async def test_deleting_an_ended_run_frees_nothing(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    (done,) = await storage.runs.of_thread(Scope.everything(), thread_id, limit=1, offset=0, status=None)
    await insert(storage, on_thread(thread_id))
    assert await storage.runs.delete(Scope.everything(), thread_id, done.run_id) == 0
    assert await thread_status(storage, thread_id) == "busy"


async def test_a_rollback_that_comes_after_an_interrupt_holds(storage: Storage) -> None:
    new_run = await insert(storage, on_thread(await idle_thread(storage)))
    lease = (await claim(storage, "worker", new_run)).lease
    actions: list[CancelAction] = ["interrupt", "rollback"]
    for action in actions:
        await storage.runs.cancel(Scope.everything(), [ref(new_run)], action)
    await storage.queue.finish(finish_request(lease, status="interrupted"))
    assert await storage.runs.get(Scope.everything(), new_run.thread_id, new_run.run_id) is None
