"""Runs that are to start later: they become due, and count or not for other runs of their thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from runyard.runtime.errors import Conflict
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
)


async def test_a_delayed_run_does_not_make_others_wait(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    await insert(storage, on_thread(thread_id, delay=3600.0))
    new_run = await insert(storage, on_thread(thread_id, strategy="enqueue"))
    await storage.queue.finish(finish_request((await claim(storage, "worker", new_run)).lease))
    assert (await storage.queue.depth()).delayed == 1


async def test_a_delayed_run_is_company_for_other_strategies(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    later = await insert(storage, on_thread(thread_id, delay=3600.0))
    with pytest.raises(Conflict):
        await insert(storage, on_thread(thread_id, strategy="reject"))
    await insert(storage, on_thread(thread_id, strategy="interrupt"))
    assert await run_status(storage, later) == "interrupted"


async def test_a_delayed_run_becomes_due(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    later = await insert(storage, stateless(delay=3600.0))
    soon = await insert(storage, on_thread(thread_id, delay=0.05))
    assert await claim_all(storage) == []
    ready, seconds = await storage.queue.make_due(10)
    while not ready:
        assert seconds is not None
        assert 0 <= seconds <= 0.05
        await asyncio.sleep(seconds)
        ready, seconds = await storage.queue.make_due(10)
    assert ready == 1
    (leased,) = await claim_all(storage)
    assert leased.lease.run_id == soon.run_id
    assert 0 <= leased.waited < 60
    ready, seconds = await storage.queue.make_due(10)
    assert ready == 0
    assert seconds is not None
    assert 3500 < seconds <= 3600
    assert await run_status(storage, later) == "pending"


async def test_a_run_that_becomes_due_on_a_busy_thread_waits(storage: Storage) -> None:
    first = await insert(storage, on_thread(await idle_thread(storage)))
    due = await insert(storage, on_thread(first.thread_id, delay=0.001))
    lease = (await claim(storage, "worker", first)).lease
    await until_due(storage, waiting=1)
    assert await claim_all(storage) == []
    assert (await storage.queue.finish(finish_request(lease))).promoted == 1
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [due.run_id]


async def test_two_runs_of_one_thread_that_become_due_together_run_one_after_the_other(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    await insert(storage, *(on_thread(thread_id, delay=0.001) for _ in range(2)))
    await until_due(storage, waiting=1)
    assert len(await claim_all(storage)) == 1


async def test_delayed_runs_become_due_in_portions(storage: Storage) -> None:
    await insert(storage, *(stateless(delay=0.001) for _ in range(5)))
    await asyncio.sleep(0.002)
    assert [(await storage.queue.make_due(2))[0] for _ in range(4)] == [2, 2, 1, 0]


async def until_due(storage: Storage, *, waiting: int) -> None:
    async with asyncio.timeout(60):
        while (await storage.queue.depth()).waiting < waiting:
            await storage.queue.make_due(100)


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_delay_is_as_long_as_before_when_the_time_of_day_is_set(
    storage: Storage, set_time_of_day: Callable[[float], None], hours: int
) -> None:
    soon = await insert(storage, stateless(delay=0.05))
    later = await insert(storage, stateless(delay=1800.0))
    set_time_of_day(hours * 3600.0)
    ready, seconds = await storage.queue.make_due(10)
    while not ready:
        assert seconds is not None
        assert seconds <= 0.05
        await asyncio.sleep(seconds)
        ready, seconds = await storage.queue.make_due(10)
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [soon.run_id]
    assert await run_status(storage, later) == "pending"


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_run_is_not_overdue_because_the_time_of_day_is_set(
    storage: Storage, set_time_of_day: Callable[[float], None], hours: int
) -> None:
    new_run = await insert(storage, stateless())
    await claim(storage, "worker", new_run)
    set_time_of_day(hours * 3600.0)
    assert (await storage.workers.end_overdue(60.0, b"{}", 10)).ended == []
    assert (await storage.workers.heartbeat("worker", [])).lost == []
    assert await run_status(storage, new_run) == "running"
