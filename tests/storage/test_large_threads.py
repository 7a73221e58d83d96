"""Threads with more than one transaction may remove: deleted, they are invisible at once, and go by and by."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from runyard.runtime.errors import LeaseLost
from runyard.runtime.lifecycle import UNKNOWN
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.checkpoints import KeptCheckpoint
from runyard.runtime.storage.port.events import NewEvents
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.runs import NewRun, Strategy
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import Leftovers, NewThread

from .backends import Backend
from .builders import (
    checkpoint_row,
    claim,
    claim_all,
    finish_request,
    idle_thread,
    insert,
    on_thread,
    ref,
    stateless,
    write_row,
)

LIVELY = 8
"""Runs, checkpoints and chunks of events of a large thread."""


@pytest.fixture(autouse=True)
def small_steps(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction may remove next to nothing."""
    for name, value in backend.small_steps.items():
        monkeypatch.setattr(name, value)


async def large_thread(storage: Storage) -> tuple[str, list[NewRun], Lease]:
    """A thread with ended runs, one that runs, waiting ones and a delayed one, and the lease of the one that runs."""
    thread_id = await idle_thread(storage)
    runs = []
    for _ in range(LIVELY):
        runs.append(await insert(storage, on_thread(thread_id, resumable=True)))
        lease = (await claim(storage, "worker", runs[-1])).lease
        for _ in range(3):
            await storage.events.append(lease, [NewEvents(1, b"event")])
        await storage.queue.finish(finish_request(lease))
    await storage.checkpoints.append(None, [checkpoint_row(thread_id, f"{step:03}") for step in range(LIVELY)])
    runs += [await insert(storage, on_thread(thread_id)) for _ in range(LIVELY)]
    lease = (await claim(storage, "worker", runs[LIVELY])).lease
    runs.append(await insert(storage, on_thread(thread_id, delay=0.001)))
    return thread_id, runs, lease


async def history(storage: Storage, thread_id: str) -> list[str]:
    return [item.checkpoint_id for item in await storage.checkpoints.history(thread_id, None, before=None, limit=None)]


async def remove_all(storage: Storage) -> tuple[int, list[str]]:
    """In how many steps, and the runs under way that were removed."""
    steps, runs = 1, []
    while (removed := await storage.threads.remove_leftovers()).more:
        steps += 1
        runs += removed.runs
    return steps, runs + removed.runs


async def test_a_deleted_thread_is_invisible_at_once(storage: Storage) -> None:
    thread_id, runs, lease = await large_thread(storage)
    deleted = await storage.threads.delete(Scope.everything(), [thread_id])
    assert deleted.threads == [thread_id]
    assert lease.run_id in deleted.runs, "its worker has to be told"
    assert await storage.threads.get(Scope.everything(), thread_id) is None
    assert await storage.threads.delete(Scope.everything(), [thread_id]) == type(deleted)()
    for run in runs:
        assert await storage.runs.get(Scope.everything(), thread_id, run.run_id) is None
        assert await storage.runs.find(Scope.everything(), run.run_id) is None
        assert await storage.runs.locate(Scope.everything(), run.run_id) is None
    assert {one.answer for one in await storage.runs.ended(Scope.everything(), [run.run_id for run in runs])} == {
        UNKNOWN
    }
    with pytest.raises(LeaseLost):
        await storage.queue.finish(finish_request(lease))


async def test_nothing_of_a_deleted_thread_is_executed(storage: Storage) -> None:
    thread_id, runs, _ = await large_thread(storage)
    await storage.threads.delete(Scope.everything(), [thread_id])
    await storage.queue.make_due(100)
    await storage.runs.cancel(Scope.everything(), [ref(run) for run in runs[-3:]], "interrupt")
    await storage.runs.delete(Scope.everything(), thread_id, runs[LIVELY + 1].run_id)
    assert await claim_all(storage) == []
    other = await insert(storage, stateless())
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [other.run_id]


async def test_what_is_left_is_removed_in_small_steps_also_by_another_process(
    storage: Storage, another: Callable[[], Storage]
) -> None:
    thread_id, runs, _ = await large_thread(storage)
    at_once = (await storage.threads.delete(Scope.everything(), [thread_id])).runs
    steps, by_and_by = await remove_all(another())
    assert steps > LIVELY
    assert sorted(at_once + by_and_by) == sorted(run.run_id for run in runs[LIVELY:])
    assert await history(storage, thread_id) == []
    assert await storage.events.read(runs[0].run_id, 0, size=1000) == []
    assert (await storage.queue.depth()).waiting == 0
    assert await remove_all(storage) == (1, [])


@pytest.mark.parametrize("by_a_run", [False, True])
async def test_an_id_can_be_used_again(storage: Storage, by_a_run: bool) -> None:
    thread_id, runs, _ = await large_thread(storage)
    await storage.threads.delete(Scope.everything(), [thread_id])
    if by_a_run:
        await insert(storage, on_thread(thread_id, create_thread=True))
    else:
        await storage.threads.create(Scope.everything(), NewThread(thread_id=thread_id, metadata={}), "raise")
    assert await history(storage, thread_id) == []
    assert (
        len(await storage.runs.of_thread(Scope.everything(), thread_id, limit=100, offset=0, status=None)) == by_a_run
    )
    assert await storage.runs.locate(Scope.everything(), runs[0].run_id) is None
    await remove_all(storage)
    assert await storage.threads.get(Scope.everything(), thread_id) is not None


async def test_the_answer_of_a_temporary_run_outlives_its_many_checkpoints(storage: Storage) -> None:
    new_run = await insert(storage, stateless(temporary=True))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.checkpoints.append(lease, [checkpoint_row(new_run.thread_id, f"{step:03}") for step in range(LIVELY)])
    await storage.queue.finish(finish_request(lease, temporary=True, spilled=True))
    await remove_all(storage)
    assert await history(storage, new_run.thread_id) == []
    (ended,) = await storage.runs.ended(Scope.everything(), [new_run.run_id])
    assert (ended.status, ended.answer) == ("success", b'{"n":111}')


async def test_a_long_history_is_dropped_as_a_whole(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    await storage.checkpoints.append(None, [checkpoint_row(thread_id, f"{step:03}") for step in range(LIVELY)])
    last = f"{LIVELY - 1:03}"
    kept = [KeptCheckpoint("", last, {"log": "1"})]
    assert await storage.threads.keep_latest(Scope.everything(), thread_id, last, kept)
    assert await history(storage, thread_id) == [last]
    assert await storage.checkpoints.blobs(thread_id, "", {"log": "1"}) != {}


async def test_checkpoints_are_deleted_however_many_there_are(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    rows = [checkpoint_row(thread_id, f"{step:03}", run_id=f"run {step % 2}") for step in range(LIVELY)]
    await storage.checkpoints.append(None, rows)
    await storage.checkpoints.delete_runs(["run 0"])
    assert len(await history(storage, thread_id)) == LIVELY // 2
    await storage.checkpoints.delete_thread(thread_id)
    assert await history(storage, thread_id) == []


async def test_a_history_that_cannot_be_dropped_does_not_keep_others_from_expiring(storage: Storage) -> None:
    async def expired() -> str:
        thread_id = await idle_thread(storage)
        await storage.threads.patch(Scope.everything(), thread_id, None, Expiry("keep_latest", 0.0))
        return thread_id

    stubborn = [await expired() for _ in range(2)]
    other = await expired()
    assert await storage.threads.history_expired(2) == stubborn
    for thread_id in stubborn:
        await storage.threads.postpone_expiry(thread_id)
        await storage.threads.postpone_expiry(thread_id)
    assert await storage.threads.history_expired(2) == [other]
    await storage.threads.patch(Scope.everything(), stubborn[0], None, Expiry("delete", 0.0))
    assert (await storage.threads.delete_expired(2)).threads == [stubborn[0]], "a new lifetime begins anew"


async def test_a_postponed_thread_is_deleted_as_any_other(storage: Storage) -> None:
    thread_id = str(uuid.uuid4())
    given: dict[str, Any] = {"thread_id": thread_id, "metadata": {}, "expiry": Expiry("keep_latest", 0.0)}
    await storage.threads.create(Scope.everything(), NewThread(**given), "raise")
    await storage.threads.postpone_expiry(thread_id)
    await storage.threads.delete(Scope.everything(), [thread_id])
    await storage.threads.create(Scope.everything(), NewThread(**given), "raise")
    assert await storage.threads.history_expired(10) == [thread_id]


async def test_a_large_thread_is_copied_as_a_whole(storage: Storage) -> None:
    thread_id, _, lease = await large_thread(storage)
    await storage.checkpoints.append(lease, [write_row(thread_id, "003", task_id=f"task {n}") for n in range(5)])
    copied = await storage.threads.copy(Scope.everything(), thread_id, str(uuid.uuid4()))
    assert copied is not None
    assert (copied.status, copied.values) == ("idle", {"n": 111})
    assert await history(storage, copied.thread_id) == await history(storage, thread_id) != []
    source, copy = [await storage.checkpoints.get(one, "", "003") for one in (thread_id, copied.thread_id)]
    assert source is not None
    assert copy is not None
    assert copy.writes == source.writes
    assert await storage.checkpoints.blobs(copied.thread_id, "", {"log": "1"}) != {}
    assert await storage.threads.remove_leftovers() == Leftovers(more=False)
    assert await storage.threads.get(Scope.everything(), copied.thread_id) == copied


async def test_the_checkpoints_of_a_large_thread_are_copied(storage: Storage) -> None:
    thread_id, _, _ = await large_thread(storage)
    target = await idle_thread(storage)
    await storage.checkpoints.copy_thread(thread_id, target)
    assert await history(storage, target) == await history(storage, thread_id) != []


async def test_many_outcomes_are_forgotten_whatever_a_transaction_takes(storage: Storage) -> None:
    await storage.runs.insert(Scope.everything(), [stateless(temporary=True, resumable=True) for _ in range(LIVELY)])
    leases = [leased.lease for leased in await claim_all(storage)]
    for lease in leases:
        for _ in range(5):
            await storage.events.append(lease, [NewEvents(1, b"event")])
        await storage.queue.finish(finish_request(lease, temporary=True))
    assert await storage.runs.forget_outcomes(-1.0, LIVELY - 2) == LIVELY - 2
    assert await storage.runs.forget_outcomes(-1.0, LIVELY) == 2
    assert [await storage.events.read(lease.run_id, 0, size=1) for lease in leases] == [[]] * LIVELY


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_a_strategy_cancels_however_many_runs_wait(storage: Storage, strategy: Strategy) -> None:
    thread_id, runs, lease = await large_thread(storage)
    waiting = [run.run_id for run in runs[LIVELY + 1 : -1]]
    inserted = await storage.runs.insert(Scope.everything(), [on_thread(thread_id, strategy=strategy)])
    assert set(waiting) < set(inserted.cancelled.ended)
    assert list(inserted.cancelled.requested) == [lease.run_id]
    page = await storage.runs.cancellable(
        Scope.everything(), thread_id=thread_id, run_ids=None, status="all", limit=100
    )
    assert {run.run_id for run in page.runs} == {lease.run_id, inserted.runs[0].run_id}
