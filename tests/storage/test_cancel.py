"""Cancelling, deleting, and finding what can be cancelled."""

from __future__ import annotations

import uuid

import pytest

from runyard.runtime.lifecycle import CANCELLED
from runyard.runtime.storage.port.storage import Storage

from .making import claim, claim_all, ending, on_thread, put, put_thread, stateless, status, thread_status


async def test_cancelling_a_pending_run_ends_it(storage: Storage) -> None:
    draft = await put(storage, stateless())
    outcome = await storage.runs.cancel([(draft.thread_id, draft.run_id)], "interrupt")
    assert (outcome.ended, outcome.requested) == ([draft.run_id], {})
    (ended,) = await storage.runs.ended([draft.run_id])
    assert (ended.status, ended.answer) == ("interrupted", CANCELLED)
    assert await claim_all(storage) == []


async def test_rolling_back_a_pending_run_removes_it(storage: Storage) -> None:
    draft = await put(storage, stateless())
    outcome = await storage.runs.cancel([(draft.thread_id, draft.run_id)], "rollback")
    assert outcome.ended == [draft.run_id]
    assert await status(storage, draft) is None
    (ended,) = await storage.runs.ended([draft.run_id])
    assert ended.status == "error"


async def test_cancelling_a_pending_run_frees_the_next(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    first, second = await put(storage, on_thread(thread_id)), await put(storage, on_thread(thread_id))
    outcome = await storage.runs.cancel([(thread_id, first.run_id)], "interrupt")
    assert outcome.promoted == 1
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [second.run_id]


async def test_cancelling_a_waiting_run_frees_nothing(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    first, second = await put(storage, on_thread(thread_id)), await put(storage, on_thread(thread_id))
    outcome = await storage.runs.cancel([(thread_id, second.run_id)], "interrupt")
    assert (outcome.ended, outcome.promoted) == ([second.run_id], 0)
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [first.run_id]


async def test_a_running_run_is_asked_and_may_be_asked_again(storage: Storage) -> None:
    draft = await put(storage, stateless())
    lease = (await claim(storage, "worker", draft)).lease
    run = (draft.thread_id, draft.run_id)
    for action, effective in (("interrupt", "interrupt"), ("rollback", "rollback"), ("interrupt", "rollback")):
        outcome = await storage.runs.cancel([run], action)  # type: ignore[arg-type]
        assert (outcome.ended, outcome.requested) == ([], {draft.run_id: "worker"})
        assert (await storage.workers.heartbeat("worker", 1, [lease])).cancels == {lease.seq: effective}


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_request_to_stop_survives_the_worker_that_gave_the_run_back(storage: Storage, action: str) -> None:
    draft = await put(storage, stateless())
    lease = (await claim(storage, "worker", draft)).lease
    await storage.runs.cancel([(draft.thread_id, draft.run_id)], action)
    await storage.queue.release(lease)
    assert (await claim(storage, "worker", draft)).cancel == action


async def test_what_has_ended_or_never_was_is_passed_over(storage: Storage) -> None:
    done, pending = await put(storage, stateless()), stateless()
    await storage.queue.finish(ending((await claim(storage, "worker", done)).lease))
    await put(storage, pending)
    outcome = await storage.runs.cancel(
        [
            (done.thread_id, done.run_id),
            (str(uuid.uuid4()), str(uuid.uuid4())),
            (done.thread_id, pending.run_id),
            (pending.thread_id, pending.run_id),
        ],
        "interrupt",
    )
    assert (outcome.ended, outcome.requested) == ([pending.run_id], {})
    assert await status(storage, done) == "success"


async def test_what_can_be_cancelled_is_found_by_thread_run_and_status(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    running, waiting = await put(storage, on_thread(thread_id)), await put(storage, on_thread(thread_id))
    await claim(storage, "worker", running)
    elsewhere = await put(storage, stateless(delay=60.0))

    async def found(**asked: object) -> set[str]:
        given = {"thread_id": None, "run_ids": None, "status": "all", **asked}
        return {run_id for _, run_id in await storage.runs.cancellable(**given)}  # type: ignore[arg-type]

    assert await found() == {running.run_id, waiting.run_id, elsewhere.run_id}
    assert await found(status="pending") == {waiting.run_id, elsewhere.run_id}
    assert await found(status="running") == {running.run_id}
    assert await found(thread_id=thread_id) == {running.run_id, waiting.run_id}
    assert await found(thread_id=thread_id, run_ids=[waiting.run_id, elsewhere.run_id]) == {waiting.run_id}
    assert await found(run_ids=[]) == set()
    assert await storage.runs.cancellable(thread_id=None, run_ids=[elsewhere.run_id], status="all") == [
        (elsewhere.thread_id, elsewhere.run_id)
    ]


async def test_deleting_a_running_run_takes_its_lease(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    first, second = await put(storage, on_thread(thread_id)), await put(storage, on_thread(thread_id))
    lease = (await claim(storage, "worker", first)).lease
    assert await storage.runs.delete(thread_id, first.run_id) == 1
    assert await storage.runs.delete(thread_id, first.run_id) is None
    assert await storage.runs.delete(str(uuid.uuid4()), second.run_id) is None
    assert (await storage.workers.heartbeat("worker", 1, [lease])).lost == [lease.seq]
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [second.run_id]


async def test_deleting_an_ended_run_frees_nothing(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    (done,) = await storage.runs.of_thread(thread_id, limit=1, offset=0, status=None)
    await put(storage, on_thread(thread_id))
    assert await storage.runs.delete(thread_id, done.run_id) == 0
    assert await thread_status(storage, thread_id) == "busy"


async def test_the_runs_of_a_thread_come_newest_first_and_in_pages(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    drafts = [await put(storage, on_thread(thread_id)) for _ in range(4)]
    await claim(storage, "worker", drafts[0])

    async def found(limit: int = 10, offset: int = 0, status: object = None) -> list[str]:
        runs = await storage.runs.of_thread(thread_id, limit=limit, offset=offset, status=status)  # type: ignore[arg-type]
        return [run.run_id for run in runs]

    newest_first = [draft.run_id for draft in reversed(drafts)]
    assert (await found())[:4] == newest_first
    assert await found(limit=2) == newest_first[:2]
    assert await found(limit=2, offset=1) == newest_first[1:3]
    assert await found(status="pending") == newest_first[:3]
    assert await found(status="running") == newest_first[3:]
    assert await found(status="error") == []
    assert await storage.runs.of_thread(str(uuid.uuid4()), limit=9, offset=0, status=None) == []


async def test_a_run_belongs_to_its_thread(storage: Storage) -> None:
    draft = await put(storage, stateless(resumable=True))
    assert await storage.runs.get(str(uuid.uuid4()), draft.run_id) is None
    assert await storage.runs.get(draft.thread_id, draft.run_id) is not None
    found = await storage.runs.find(draft.run_id)
    assert found is not None
    assert (found.thread_id, found.run_id) == (draft.thread_id, draft.run_id)
    assert await storage.runs.find(str(uuid.uuid4())) is None
    assert await storage.runs.locate(draft.run_id) == (draft.thread_id, True)
    assert await storage.runs.locate(str(uuid.uuid4())) is None


async def test_a_rollback_that_comes_after_an_interrupt_holds(storage: Storage) -> None:
    draft = await put(storage, on_thread(await put_thread(storage)))
    lease = (await claim(storage, "worker", draft)).lease
    for action in ("interrupt", "rollback"):
        await storage.runs.cancel([(draft.thread_id, draft.run_id)], action)
    await storage.queue.finish_cancelled(ending(lease, status="interrupted"), "interrupt")
    assert await storage.runs.get(draft.thread_id, draft.run_id) is None
