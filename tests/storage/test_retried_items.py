"""Items of a batch that are run again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runyard.runtime.storage.port.results import ItemRetry
from runyard.runtime.storage.port.runs import NewBatch, NewRun
from runyard.runtime.storage.port.storage import Storage

from .builders import (
    claim_all,
    finish_request,
    insert_batch,
    stateless,
)
from .item_results import ANY, FAILED, end, ends, erase, fail, results, state


async def again(storage: Storage, batch: NewBatch, **changes: Any) -> list[NewRun]:
    """Retries what has failed; the new runs."""
    failed = await storage.results.failed(ANY, batch.batch_id, -1, statuses=FAILED, limit=100)
    retries = [ItemRetry(item.index, item.run_id, stateless(**changes)) for item in failed]
    assert (await storage.results.retry(ANY, batch.batch_id, retries)).retried == len(retries)
    return [retry.new_run for retry in retries]


async def test_a_retried_item_has_the_result_of_its_new_run(storage: Storage) -> None:
    good, bad = stateless(), stateless(temporary=True)
    batch = await insert_batch(storage, good, bad)
    await end(storage, good)
    await fail(storage, bad)
    (new_run,) = await again(storage, batch)
    assert [result.index for result in await results(storage, batch)] == [0]
    assert not (await state(storage, batch)).complete
    await end(storage, new_run)
    found = await results(storage, batch)
    assert [(result.index, result.run_id, result.retry_of, result.status) for result in found] == [
        (0, good.run_id, None, "success"),
        (1, new_run.run_id, bad.run_id, "success"),
    ]
    assert await ends(storage, batch) == [(1, 0), (3, 1)]
    assert (await state(storage, batch)).complete


async def test_the_time_between_an_end_and_a_retry_does_not_count(
    storage: Storage, let_time_pass: Callable[[float], None]
) -> None:
    good, bad = stateless(), stateless()
    batch = await insert_batch(storage, good, bad)
    await end(storage, good)
    await fail(storage, bad)
    let_time_pass(86_400.0)
    (new_run,) = await again(storage, batch)
    resumed = await storage.batches.get(ANY, batch.batch_id)
    await end(storage, new_run)
    ended = await storage.batches.get(ANY, batch.batch_id)
    assert resumed is not None
    assert ended is not None
    for rate in (resumed.rate, ended.rate):
        assert rate is not None
        assert rate > 0.01  # with that day it would be one in many hours


async def test_what_failed_brings_what_a_new_run_needs(storage: Storage) -> None:
    good, bad, removed = stateless(), stateless(metadata={"custom_id": "x"}), stateless(webhook="http://a.test/")
    batch = await insert_batch(storage, good, bad, removed)
    await end(storage, good)
    await fail(storage, bad)
    await fail(storage, removed)
    await storage.threads.delete(ANY, [removed.thread_id])
    first, second = await storage.results.failed(ANY, batch.batch_id, -1, statuses=FAILED, limit=100)
    assert (first.index, first.run_id, first.kwargs, first.metadata) == (1, bad.run_id, bad.kwargs, {"custom_id": "x"})
    assert (second.index, second.kwargs, second.webhook) == (2, removed.kwargs, "http://a.test/")
    assert await storage.results.failed(ANY, batch.batch_id, 1, statuses=FAILED, limit=100) == [second]
    assert await storage.results.failed(ANY, batch.batch_id, -1, statuses=FAILED, limit=1) == [first]


async def test_a_removed_item_can_be_retried(storage: Storage) -> None:
    bad = stateless()
    batch = await insert_batch(storage, bad)
    await fail(storage, bad)
    await storage.threads.delete(ANY, [bad.thread_id])
    (new_run,) = await again(storage, batch)
    assert await results(storage, batch) == []
    await end(storage, new_run)
    assert [result.run_id for result in await results(storage, batch)] == [new_run.run_id]


async def test_an_item_is_retried_once_however_often_that_is_asked_for(storage: Storage) -> None:
    bad = stateless()
    batch = await insert_batch(storage, bad)
    await fail(storage, bad)
    first, second = (ItemRetry(0, bad.run_id, stateless()) for _ in range(2))
    assert (await storage.results.retry(ANY, batch.batch_id, [first])).retried == 1
    assert (await storage.results.retry(ANY, batch.batch_id, [second])).retried == 0
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [first.new_run.run_id]


async def test_a_success_is_not_retried(storage: Storage) -> None:
    good = stateless()
    batch = await insert_batch(storage, good)
    await end(storage, good)
    assert (await storage.results.retry(ANY, batch.batch_id, [ItemRetry(0, good.run_id, stateless())])).retried == 0


async def test_nothing_is_retried_when_results_are_given_up(storage: Storage) -> None:
    bad = stateless()
    batch = await insert_batch(storage, bad)
    await fail(storage, bad)
    await erase(storage)
    assert (await storage.results.retry(ANY, batch.batch_id, [ItemRetry(0, bad.run_id, stateless())])).retried == 0
    assert await claim_all(storage) == []


async def test_retried_items_keep_to_the_room_of_their_batch(storage: Storage) -> None:
    runs = [stateless() for _ in range(3)]
    batch = await insert_batch(storage, *runs, max_concurrency=2)
    for new_run in runs:
        await fail(storage, new_run)
    new_runs = await again(storage, batch)
    claimed = await claim_all(storage)
    assert [leased.lease.run_id for leased in claimed] == [run.run_id for run in new_runs[:2]]
    await storage.queue.finish(finish_request(claimed[0].lease))
    assert [leased.lease.run_id for leased in await claim_all(storage)] == [new_runs[2].run_id]
