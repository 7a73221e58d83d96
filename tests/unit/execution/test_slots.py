"""Places of runs that wait for others, and the pool threads in which their nodes wait."""

from __future__ import annotations

import asyncio
from threading import Barrier, Event

import pytest

from runyard.runtime.execution import slots as module
from runyard.runtime.execution.node_pool import NodePool, lend_pool_thread
from runyard.runtime.execution.slots import WAITING, LentSlots, RunSlot


def lent_of(most: int, *held: str) -> LentSlots:
    return LentSlots(most, {*held}.__contains__, lambda: None)


async def test_a_run_waits_as_long_as_one_of_its_waits_lasts() -> None:
    lent = lent_of(2, "run")
    slot = RunSlot(lent, "run", interactive=True)
    first, second = slot.lend(), slot.lend()
    assert lent.count() == (1, 1)
    first()
    assert lent.count() == (1, 1)
    second()
    assert lent.count() == (0, 0)


async def test_a_run_that_is_over_waits_no_more() -> None:
    held = {"run"}
    lent = LentSlots(2, held.__contains__, lambda: None)
    slot = RunSlot(lent, "run", interactive=False)
    take_back = slot.lend()
    held.clear()
    lent.end("run")
    assert lent.count() == (0, 0)
    slot.lend()
    take_back()
    assert lent.count() == (0, 0)


async def test_the_worker_hears_of_each_change_on_its_loop() -> None:
    heard = asyncio.Event()
    lent = LentSlots(2, lambda _: True, heard.set)
    take_back = await asyncio.to_thread(RunSlot(lent, "run", interactive=False).lend)
    await asyncio.wait_for(heard.wait(), 60)
    heard.clear()
    await asyncio.to_thread(take_back)
    await asyncio.wait_for(heard.wait(), 60)


async def test_only_so_many_runs_wait_and_one_that_does_may_wait_for_more() -> None:
    runs = [f"run {number}" for number in range(WAITING + 1)]
    lent = lent_of(1, *runs)
    for run in runs[:-1]:
        lent.lend(run, interactive=False)
    lent.lend(runs[0], interactive=False)
    lent.check(runs[0])
    with pytest.raises(RuntimeError, match="starts itself without an end"):
        lent.lend(runs[-1], interactive=False)
    with pytest.raises(RuntimeError, match="starts itself without an end"):
        lent.check(runs[-1])
    lent.end(runs[1])
    lent.check(runs[-1])


async def test_a_run_that_looks_at_another_one_waits_until_it_has_not_looked_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK", 3600.0)
    heard = asyncio.Event()
    lent = LentSlots(1, {"run", "other", "third", "fourth", "fifth"}.__contains__, heard.set)
    for run in ("other", "third", "fourth"):
        lent.lend(run, interactive=False)
    slot = RunSlot(lent, "run", interactive=False)
    for _ in range(3):
        await asyncio.to_thread(slot.look)
    RunSlot(lent, "fifth", interactive=False).look()
    await asyncio.sleep(0)
    assert lent.count()[0] == WAITING, "one more than may"
    monkeypatch.setattr(module, "LOOK", 0.05)
    slot.look()
    while lent.count()[0] == WAITING:
        heard.clear()
        await asyncio.wait_for(heard.wait(), 60)
    monkeypatch.setattr(module, "LOOK", 3600.0)
    slot.look()
    await asyncio.sleep(0)
    lent.end("run")
    assert lent.count()[0] == WAITING - 1


def test_a_node_that_waits_in_a_pool_thread_leaves_it_to_another() -> None:
    pool = NodePool(1)
    met = Event()

    def wait() -> bool:
        take_back = lend_pool_thread()
        try:
            return met.wait(60)
        finally:
            take_back()

    waiting = pool.submit(wait)
    pool.submit(met.set)
    assert waiting.result(60)
    pool.shutdown()


def test_what_had_to_queue_up_already_gets_the_thread() -> None:
    pool = NodePool(1)
    queued, met = Event(), Event()

    def wait() -> bool:
        queued.wait(60)
        take_back = lend_pool_thread()
        try:
            return met.wait(60)
        finally:
            take_back()

    waiting = pool.submit(wait)
    pool.submit(met.set)
    queued.set()
    assert waiting.result(60)
    pool.shutdown()


def test_a_pool_keeps_its_size_where_nothing_waits() -> None:
    pool, together = NodePool(2), Barrier(3)
    for _ in range(5):
        pool.submit(lambda: lend_pool_thread()()).result(60)
    third = [pool.submit(together.wait, 0.2) for _ in range(3)]
    assert all(future.exception(60) is not None for future in third), "three threads at once"
    pool.shutdown()


def test_outside_of_a_pool_there_is_nothing_to_lend() -> None:
    assert lend_pool_thread()() is None
