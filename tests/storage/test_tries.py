"""Tries after errors: the run is pending again, keeps its thread, and comes back when its back-off is over."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import asdict, replace

import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.queue import LeasedRun
from runyard.runtime.storage.port.retries import RetryPolicy
from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.port.storage import Storage

from .builders import (
    checkpoint_row,
    claim,
    claim_all,
    failed_request,
    finish_request,
    idle_thread,
    insert,
    insert_batch,
    on_thread,
    ref,
    run_status,
    stateless,
    thread_status,
)

POLICY = RetryPolicy(
    tries=3, initial_interval=0.5, backoff_factor=3.0, max_interval=2.0, errors=("OSError", "my.module.Busy")
)


async def tried(storage: Storage, new_run: NewRun) -> NewRun:
    """Inserts a run with a policy."""
    await insert_batch(storage, new_run, retry=asdict(POLICY))
    return new_run


async def fail_once(storage: Storage, new_run: NewRun, *, pause: float = 3600.0) -> LeasedRun:
    """Claims the run, and has it wait for its next try."""
    leased = await claim(storage, "worker", new_run)
    assert await storage.queue.try_again(failed_request(leased.lease), pause) is None
    return leased


async def until_ready(storage: Storage) -> None:
    async with asyncio.timeout(60):
        while not (await storage.queue.make_due(100)).ready:
            pass


async def test_a_claimed_run_brings_its_policy_and_its_failed_tries(storage: Storage) -> None:
    new_run = await tried(storage, stateless())
    first = await fail_once(storage, new_run, pause=0.0)
    assert (first.retry, first.failed, first.lease.attempt) == (POLICY, 0, 1)
    await until_ready(storage)
    second = await claim(storage, "worker", new_run)
    assert (second.retry, second.failed, second.lease.attempt) == (POLICY, 1, 2)


async def test_a_run_without_a_policy_brings_none(storage: Storage) -> None:
    leased = await claim(storage, "worker", await insert(storage, stateless()))
    assert (leased.retry, leased.failed) == (None, 0)


async def test_an_attempt_after_a_crash_is_no_failed_try(storage: Storage) -> None:
    new_run = await tried(storage, stateless())
    await claim(storage, "dead", new_run)
    await storage.workers.reap("dead", max_attempts=5)
    leased = await claim(storage, "worker", new_run)
    assert (leased.failed, leased.lease.attempt) == (0, 2)


async def test_a_run_that_waits_for_its_next_try_is_pending_on_a_busy_thread(storage: Storage) -> None:
    new_run = await tried(storage, stateless())
    await fail_once(storage, new_run)
    assert await run_status(storage, new_run) == "pending"
    assert await thread_status(storage, new_run.thread_id) == "busy"
    assert await storage.runs.ended(Scope.everything(), [new_run.run_id]) == []
    assert (await storage.events.ends(new_run.thread_id, 0, limit=10)).ends == ()
    assert await claim_all(storage) == []


async def test_what_the_saver_still_held_is_there_at_the_next_try(storage: Storage) -> None:
    new_run = await tried(storage, stateless())
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.queue.try_again(failed_request(lease), 3600.0, [checkpoint_row(new_run.thread_id, "1")])
    assert await storage.checkpoints.latest(new_run.thread_id, "") is not None


async def test_what_cannot_be_read_is_no_basis_for_the_next_try(storage: Storage) -> None:
    new_run = await tried(storage, stateless())
    lease = (await claim(storage, "worker", new_run)).lease
    rows = [checkpoint_row(new_run.thread_id, number, run_id=new_run.run_id) for number in ("1", "2")]
    await storage.queue.try_again(failed_request(lease, readable="1"), 3600.0, rows)
    latest = await storage.checkpoints.latest(new_run.thread_id, "")
    assert latest is not None
    assert latest.checkpoint_id == "1"


@pytest.mark.parametrize("waits_already", [True, False])
async def test_no_other_run_of_the_thread_gets_in_between_two_tries(storage: Storage, waits_already: bool) -> None:
    first = await tried(storage, on_thread(await idle_thread(storage)))
    other = on_thread(first.thread_id)
    if waits_already:
        leased = await claim(storage, "worker", first)
        await insert(storage, other)
        await storage.queue.try_again(failed_request(leased.lease), 0.0)
    else:
        await fail_once(storage, first, pause=0.0)
        await insert(storage, other)
    assert await claim_all(storage) == []
    await until_ready(storage)
    (again,) = await claim_all(storage)
    assert again.lease.run_id == first.run_id
    assert (await storage.queue.finish(finish_request(again.lease))).promoted == 1
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [other.run_id]


async def test_a_delayed_run_that_becomes_due_waits_for_the_next_try_of_another(storage: Storage) -> None:
    first = await tried(storage, on_thread(await idle_thread(storage)))
    await fail_once(storage, first)
    await insert(storage, on_thread(first.thread_id, delay=0.001))
    async with asyncio.timeout(60):
        while (await storage.queue.depth()).waiting == 0:
            await storage.queue.make_due(100)
    assert await claim_all(storage) == []


async def test_cancelling_a_run_that_waits_for_its_next_try_ends_it_and_frees_its_thread(storage: Storage) -> None:
    first = await tried(storage, on_thread(await idle_thread(storage)))
    await fail_once(storage, first)
    other = await insert(storage, on_thread(first.thread_id))
    cancelled = await storage.runs.cancel(Scope.everything(), [ref(first)], "interrupt")
    assert (cancelled.ended, cancelled.promoted) == ([first.run_id], 1)
    assert await run_status(storage, first) == "interrupted"
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [other.run_id]


async def test_a_temporary_thread_goes_with_a_run_that_is_cancelled_before_its_next_try(storage: Storage) -> None:
    new_run = await tried(storage, stateless(temporary=True))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.queue.try_again(failed_request(lease), 3600.0, [checkpoint_row(new_run.thread_id, "1")])
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], "interrupt")
    assert await thread_status(storage, new_run.thread_id) is None
    assert await storage.checkpoints.latest(new_run.thread_id, "") is None


async def test_a_run_that_was_asked_to_stop_is_not_tried_again(storage: Storage) -> None:
    new_run = await tried(storage, on_thread(await idle_thread(storage)))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], "interrupt")
    result = await storage.queue.try_again(failed_request(lease), 0.0)
    assert result is not None
    assert result.cancelled == "interrupt"
    assert await run_status(storage, new_run) == "interrupted"


async def test_a_run_whose_thread_is_deleted_between_two_tries_does_not_come_back(storage: Storage) -> None:
    new_run = await tried(storage, on_thread(await idle_thread(storage)))
    await fail_once(storage, new_run, pause=0.0)
    await storage.threads.delete(Scope.everything(), [new_run.thread_id])
    assert (await storage.queue.make_due(100)).ready == 0
    assert await claim_all(storage) == []


def test_pauses_grow_up_to_the_longest_and_are_partly_left_to_chance() -> None:
    for failed, whole in ((1, 0.5), (2, 1.5), (3, 2.0), (10_000, 2.0)):
        pauses = {POLICY.pause(failed) for _ in range(50)}
        assert len(pauses) > 1
        assert all(whole / 2 <= pause <= whole for pause in pauses)
    assert replace(POLICY, initial_interval=0.0).pause(1) == 0.0


async def test_many_runs_wait_for_their_next_tries_at_once(storage: Storage) -> None:
    await insert_batch(storage, *(stateless(thread_id=str(uuid.uuid4())) for _ in range(20)), retry=asdict(POLICY))
    for leased in await claim_all(storage):
        await storage.queue.try_again(failed_request(leased.lease), 0.0)
    async with asyncio.timeout(60):
        while (await storage.queue.depth()).delayed:
            await storage.queue.make_due(7)
    assert len(await claim_all(storage)) == 20
