"""Workers: signs of life, deaths, and what becomes of their runs."""

from __future__ import annotations

import json
import socket

import pytest

from runyard.runtime.errors import LeaseLost
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import CancelAction
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.workers import KnownWorker

from .builders import (
    checkpoint_row,
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
from .conftest import Open


async def test_a_worker_is_known_by_its_heartbeat(storage: Storage) -> None:
    await storage.workers.heartbeat("one", [])
    await storage.workers.heartbeat("two", [])
    before = {known.worker: known for known in await storage.workers.known()}
    assert before.keys() == {"one", "two"}
    await storage.workers.heartbeat("two", [])
    after = {known.worker: known for known in await storage.workers.known()}
    assert after["one"] == before["one"]
    assert after["two"].seen != before["two"].seen, "a heartbeat shows by a change"
    await storage.workers.reap("one", max_attempts=3)
    assert [known.worker for known in await storage.workers.known()] == ["two"]


async def test_a_worker_is_alive_from_its_registration_to_its_end(storage: Storage, another: Open) -> None:
    other = another()
    assert await other.workers.alive() == {}
    storage.workers.register("worker")
    assert await other.workers.alive() == {"worker": "running"}
    await other.workers.reap("worker", max_attempts=3)
    assert await other.workers.alive() == {"worker": "running"}, "what becomes of its runs does not end it"
    storage.workers.unregister("worker")
    assert await other.workers.alive() == {}


async def test_a_worker_that_nobody_has_heard_of_cannot_be_ended(storage: Storage) -> None:
    assert not await storage.workers.evict("worker")


async def test_a_worker_that_never_gave_a_sign_is_known_when_it_holds_a_run(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    await claim(storage, "ghost", new_run)
    assert await storage.workers.known() == [KnownWorker("ghost", 0)]
    await storage.workers.reap("ghost", max_attempts=3)
    assert await storage.workers.known() == []
    assert await run_status(storage, new_run) == "pending"


async def test_a_heartbeat_tells_what_is_cancelled_and_what_is_lost(storage: Storage) -> None:
    held, cancelled, lost = [await insert(storage, stateless()) for _ in range(3)]
    leases = {leased.lease.run_id: leased.lease for leased in await claim_all(storage)}
    await storage.runs.cancel(Scope.everything(), [ref(cancelled)], "rollback")
    await storage.queue.finish(finish_request(leases[lost.run_id]))
    beat = await storage.workers.heartbeat("worker", list(leases.values()))
    assert beat.cancels == {leases[cancelled.run_id].seq: "rollback"}
    assert beat.lost == [leases[lost.run_id].seq]
    assert await run_status(storage, held) == "running"


async def test_a_claim_is_not_given_back_while_its_answer_may_be_under_way(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    await claim(storage, "worker", new_run)
    await storage.workers.heartbeat("worker", [])
    assert await run_status(storage, new_run) == "running"


@pytest.mark.usefixtures("no_claim_grace")
async def test_while_a_claim_is_under_way_a_worker_learns_what_it_has_lost_and_keeps_all_else(storage: Storage) -> None:
    lost, claimed = [await insert(storage, stateless()) for _ in range(2)]
    leases = {leased.lease.run_id: leased.lease for leased in await claim_all(storage)}
    await storage.queue.finish(finish_request(leases[lost.run_id]))
    beat = await storage.workers.heartbeat("worker", [leases[lost.run_id]], claiming=True)
    assert beat.lost == [leases[lost.run_id].seq]
    assert await run_status(storage, claimed) == "running", "the answer to its claim may be under way"


@pytest.mark.usefixtures("no_claim_grace")
async def test_giving_back_what_was_lost_does_not_count_as_a_crash(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    for _ in range(5):
        lease = (await claim(storage, "worker", new_run)).lease
        await storage.workers.heartbeat("worker", [])
    assert lease.attempt == 5
    lease = (await claim(storage, "worker", new_run)).lease
    assert (await storage.workers.reap("worker", max_attempts=2)).solo == 1


async def test_a_worker_that_was_ended_on_purpose_leaves_no_blame_on_its_runs(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    for _ in range(3):
        await claim(storage, "replaced", new_run)
        reaped = await storage.workers.reap("replaced", max_attempts=2, crashed=False)
        assert (reaped.requeued, reaped.solo, reaped.ended) == (1, 0, [])
    await claim(storage, "worker", new_run)
    assert (await storage.workers.reap("worker", max_attempts=3)).requeued == 1


async def test_the_runs_of_a_dead_worker_go_back_and_end_when_it_happens_too_often(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    await claim(storage, "first", new_run)
    reaped = await storage.workers.reap("first", max_attempts=3)
    assert (reaped.requeued, reaped.solo, reaped.ended) == (1, 0, [])
    await claim(storage, "second", new_run)
    reaped = await storage.workers.reap("second", max_attempts=3)
    assert (reaped.requeued, reaped.solo, reaped.ended) == (0, 1, [])
    assert await storage.queue.solo_waiting()
    assert await claim_all(storage) == []
    (leased,) = await storage.queue.claim("third", limit=5, interactive=5, solo=True)
    assert not await storage.queue.solo_waiting()
    assert leased.lease.attempt == 3
    reaped = await storage.workers.reap("third", max_attempts=3)
    assert (reaped.requeued, reaped.solo, reaped.ended) == (0, 0, [new_run.run_id])
    assert await run_status(storage, new_run) == "error"
    assert await thread_status(storage, new_run.thread_id) == "error"
    thread = await storage.threads.get(Scope.everything(), new_run.thread_id)
    assert thread is not None
    assert thread.error is not None
    (ended,) = await storage.runs.ended(Scope.everything(), [new_run.run_id])
    assert json.loads(ended.answer)["__error__"] == thread.error


async def test_a_solo_worker_takes_one_run_at_a_time(storage: Storage) -> None:
    await insert(storage, *(stateless() for _ in range(3)))
    await claim_all(storage, "worker")
    await storage.workers.reap("worker", max_attempts=2)
    assert len(await storage.queue.claim("solo", limit=9, interactive=9, solo=True)) == 1
    assert len(await storage.queue.claim("other", limit=9, interactive=9, solo=True)) == 1


async def test_an_end_that_cannot_be_written_costs_an_attempt_and_at_last_the_run(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    behind = await insert(storage, on_thread(new_run.thread_id))
    answer = b'{"__error__":{"error":"OSError","message":"no room"}}'
    for attempt in (1, 2):
        lease = (await claim(storage, "worker", new_run)).lease
        assert lease.attempt == attempt
        taken = await storage.workers.fail_attempt(lease, answer, max_attempts=3)
        assert (taken.requeued, taken.ended, taken.promoted) == (1, [], 0)
    lease = (await claim(storage, "worker", new_run)).lease
    taken = await storage.workers.fail_attempt(lease, answer, max_attempts=3)
    assert (taken.requeued, taken.ended, taken.promoted) == (0, [new_run.run_id], 1)
    (ended,) = await storage.runs.ended(Scope.everything(), [new_run.run_id])
    assert (ended.status, ended.answer) == ("error", answer)
    await storage.queue.finish(finish_request((await claim(storage, "worker", behind)).lease))


async def test_reaping_touches_no_other_worker(storage: Storage) -> None:
    mine, theirs = await insert(storage, stateless()), await insert(storage, stateless())
    await claim(storage, "dead", mine)
    await claim(storage, "alive", theirs)
    assert (await storage.workers.reap("dead", max_attempts=3)).requeued == 1
    assert await run_status(storage, theirs) == "running"


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_run_that_was_to_stop_ends_with_its_dead_worker(storage: Storage, action: CancelAction) -> None:
    new_run = await insert(storage, on_thread(await idle_thread(storage)))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.checkpoints.append(lease, [checkpoint_row(new_run.thread_id, "1", run_id=new_run.run_id)])
    waiting = await insert(storage, on_thread(new_run.thread_id))
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], action)
    reaped = await storage.workers.reap("worker", max_attempts=3)
    assert reaped.ended == [new_run.run_id]
    assert reaped.promoted == 1, "workers have to be woken for the run that waited"
    assert await run_status(storage, new_run) == ("interrupted" if action == "interrupt" else None)
    left = await storage.checkpoints.get(new_run.thread_id, "", "1")
    assert (left is None) == (action == "rollback")
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [waiting.run_id]


async def test_a_requeued_run_stays_ahead_in_its_thread(storage: Storage) -> None:
    first = await insert(storage, on_thread(await idle_thread(storage)))
    await insert(storage, on_thread(first.thread_id))
    await claim(storage, "worker", first)
    await storage.workers.reap("worker", max_attempts=3)
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [first.run_id]


async def test_a_lease_holds_for_one_attempt_of_one_worker(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    old = (await claim(storage, "worker", new_run)).lease
    await storage.queue.release(old)
    new = (await claim(storage, "worker", new_run)).lease
    assert old != new
    with pytest.raises(LeaseLost):
        await storage.queue.finish(finish_request(old))
    with pytest.raises(LeaseLost):
        await storage.queue.release(old)
    assert await run_status(storage, new_run) == "running"
    await storage.queue.finish(finish_request(new))
    assert await run_status(storage, new_run) == "success"


async def test_a_probe_gets_through(storage: Storage) -> None:
    await storage.workers.probe()
    assert await storage.workers.known() == []


async def test_suspects_are_divided_and_the_last_attempt_is_made_alone(storage: Storage) -> None:
    """Of eight runs at a crash the group of the deadly one crashes again; the others never hear of it."""
    new_runs = [await insert(storage, stateless()) for _ in range(8)]
    await claim_all(storage, "worker")
    reaped = await storage.workers.reap("worker", max_attempts=3, groups=4)
    assert (reaped.requeued, reaped.solo, reaped.ended) == (0, 8, [])
    assert await claim_all(storage) == [], "no others run beside suspects"
    assert await storage.queue.solo_waiting() == 4
    groups = [
        [
            leased.lease.run_id
            for leased in await storage.queue.claim(f"solo {number}", limit=1, interactive=1, solo=True)
        ]
        for number in range(4)
    ]
    assert groups == [[run.run_id for run in new_runs[index : index + 2]] for index in range(0, 8, 2)]
    reaped = await storage.workers.reap("solo 1", max_attempts=3, groups=4)
    assert (reaped.requeued, reaped.solo, reaped.ended) == (0, 2, [])
    assert await storage.queue.solo_waiting() == 2
    (innocent,) = await storage.queue.claim("alone", limit=1, interactive=1, solo=True)
    await storage.queue.finish(finish_request(innocent.lease))
    (deadly,) = await storage.queue.claim("alone too", limit=1, interactive=1, solo=True)
    reaped = await storage.workers.reap("alone too", max_attempts=3, groups=4)
    assert (reaped.requeued, reaped.solo, reaped.ended) == (0, 0, [deadly.lease.run_id])
    assert deadly.lease.attempt == 3


async def test_a_group_that_is_given_back_stays_a_group(storage: Storage) -> None:
    for _ in range(6):
        await insert(storage, stateless())
    await claim_all(storage, "worker")
    await storage.workers.reap("worker", max_attempts=3, groups=2)
    group = await storage.queue.claim("solo", limit=1, interactive=1, solo=True)
    for leased in group:
        await storage.queue.release(leased.lease)
    assert await storage.queue.solo_waiting() == 2
    again = await storage.queue.claim("solo", limit=1, interactive=1, solo=True)
    assert [leased.lease.run_id for leased in again] == [leased.lease.run_id for leased in group]


async def test_this_machine_has_the_workers_that_are_registered(storage: Storage) -> None:
    storage.workers.register("worker")
    (machine,) = await storage.workers.machines()
    assert (machine.host, machine.servers, machine.workers) == (socket.gethostname(), 1, 1)
