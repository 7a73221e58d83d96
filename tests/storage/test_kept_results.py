"""Results of batches outlive runs and threads, for as long as they are kept."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.runtime.lifecycle import timed_out
from runyard.runtime.storage.port.results import ResultsState
from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.port.storage import Storage

from .builders import (
    claim,
    insert_batch,
    ref,
    run_status,
    stateless,
)
from .item_results import ANY, FAILED, end, ends, erase, fail, results, said, state


async def exhausted(storage: Storage, new_run: NewRun) -> None:
    await claim(storage, "dead", new_run)
    await storage.workers.reap("dead", max_attempts=1)


async def overdue(storage: Storage, new_run: NewRun) -> None:
    await claim(storage, "worker", new_run)
    await storage.workers.end_overdue(-1.0, timed_out(1.0), 10)


async def cancelled(storage: Storage, new_run: NewRun) -> None:
    await storage.runs.cancel(ANY, [ref(new_run)], "interrupt")


async def rolled_back(storage: Storage, new_run: NewRun) -> None:
    await storage.runs.cancel(ANY, [ref(new_run)], "rollback")


async def deleted(storage: Storage, new_run: NewRun) -> None:
    await storage.runs.delete(ANY, new_run.thread_id, new_run.run_id)


async def deleted_while_running(storage: Storage, new_run: NewRun) -> None:
    await claim(storage, "worker", new_run)
    await deleted(storage, new_run)


async def without_its_thread(storage: Storage, new_run: NewRun) -> None:
    await storage.threads.delete(ANY, [new_run.thread_id])


@pytest.mark.parametrize(
    ("happen", "status", "error"),
    [
        (fail, "error", "ValueError"),
        (exhausted, "error", "WorkerLost"),
        (overdue, "timeout", "TimeoutError"),
        (cancelled, "interrupted", "UserInterrupt"),
        (rolled_back, "interrupted", "UserInterrupt"),
        (deleted, "interrupted", "UserInterrupt"),
        (deleted_while_running, "interrupted", "UserInterrupt"),
        (without_its_thread, "interrupted", "UserInterrupt"),
    ],
)
@pytest.mark.parametrize("temporary", [False, True])
async def test_however_a_run_ends_its_item_has_a_result(
    storage: Storage, happen: Any, status: str, error: str, temporary: bool
) -> None:
    new_run = stateless(temporary=temporary)
    batch = await insert_batch(storage, new_run)
    await happen(storage, new_run)
    (result,) = await results(storage, batch)
    assert (result.run_id, result.status, said(result)["__error__"]["error"]) == (new_run.run_id, status, error)
    assert await state(storage, batch) == ResultsState(1, complete=True, erased=False)
    assert await ends(storage, batch) == [(1, 0)]


@pytest.mark.parametrize("remove", [deleted, without_its_thread])
async def test_a_result_outlives_its_run_and_its_thread(storage: Storage, remove: Any) -> None:
    new_run = stateless(metadata={"custom_id": 4})
    batch = await insert_batch(storage, new_run)
    await end(storage, new_run)
    before = await results(storage, batch)
    await remove(storage, new_run)
    assert await run_status(storage, new_run) is None
    assert await results(storage, batch) == before
    assert (before[0].custom_id, said(before[0])) == (4, {"n": 111})
    assert await state(storage, batch) == ResultsState(1, complete=True, erased=False)


async def test_results_are_not_forgotten_with_other_outcomes(storage: Storage) -> None:
    new_run, other = stateless(temporary=True), stateless(temporary=True)
    batch = await insert_batch(storage, new_run)
    await end(storage, new_run)
    await storage.runs.insert(ANY, [other])
    await end(storage, other)
    assert await storage.runs.forget_outcomes(-1.0, 10) == 1
    assert len(await results(storage, batch)) == 1
    assert (await storage.runs.ended(ANY, [new_run.run_id]))[0].status == "success"


async def test_results_are_kept_for_a_time_from_the_end_of_their_batch_on(storage: Storage) -> None:
    runs = [stateless(temporary=True), stateless(), stateless()]
    batch = await insert_batch(storage, *runs)
    for new_run in runs[:2]:
        await end(storage, new_run)
    await erase(storage)
    assert len(await results(storage, batch)) == 2
    await end(storage, runs[2])
    await storage.threads.delete(ANY, [runs[2].thread_id])
    await erase(storage, ttl=3600.0)
    assert len(await results(storage, batch)) == 3
    await erase(storage)
    assert await results(storage, batch) == []
    assert await state(storage, batch) == ResultsState(3, complete=True, erased=True)
    # The kept run stays, and answers what its thread holds.
    assert await run_status(storage, runs[1]) == "success"
    by_id = {each.run_id: each.answer for each in await storage.runs.ended(ANY, [run.run_id for run in runs])}
    assert by_id[runs[1].run_id] == b'{"n":111}'
    assert b"404" in by_id[runs[0].run_id]


async def test_a_batch_may_ask_for_its_results_to_be_kept_longer(storage: Storage) -> None:
    new_run = stateless()
    batch = await insert_batch(storage, new_run, result_ttl=3600.0)
    await end(storage, new_run)
    await erase(storage)
    assert len(await results(storage, batch)) == 1


async def test_of_too_many_bytes_the_oldest_answers_go_first(storage: Storage) -> None:
    runs = [stateless(temporary=True), stateless(), stateless(), stateless()]
    batch = await insert_batch(storage, *runs)
    answer = b'"' + b"x" * 998 + b'"'
    for new_run in runs[:3]:
        await end(storage, new_run, answer=answer)
    await fail(storage, runs[3])
    await storage.threads.delete(ANY, [runs[1].thread_id])
    assert not await storage.results.shrink(10_000, 10)
    while await storage.results.shrink(1500, 1):
        pass
    found = await results(storage, batch)
    assert [(each.status, each.answer) for each in found[:3]] == [
        ("success", None),
        ("success", None),
        ("success", answer),
    ]
    assert said(found[3])["__error__"]["error"] == "ValueError"


@pytest.mark.plain
async def test_nothing_is_dropped_while_there_is_room(storage: Storage) -> None:
    new_run = stateless()
    batch = await insert_batch(storage, new_run)
    await end(storage, new_run, answer=b'"1234"')
    assert not await storage.results.shrink(6, 10)
    assert said((await results(storage, batch))[0]) == "1234"
    assert not await storage.results.shrink(5, 10)
    assert (await results(storage, batch))[0].answer is None


async def test_what_is_left_of_removed_items_goes_with_their_batch(storage: Storage) -> None:
    removed, kept = stateless(), stateless()
    batch = await insert_batch(storage, removed, kept)
    await fail(storage, removed)
    await fail(storage, kept)
    await storage.threads.delete(ANY, [removed.thread_id])
    assert await storage.batches.delete(ANY, batch.batch_id)
    while await storage.batches.remove_leftovers():
        pass
    assert await results(storage, batch) == []
    assert await storage.results.failed(ANY, batch.batch_id, -1, statuses=FAILED, limit=9) == []
    assert await run_status(storage, kept) == "error"
