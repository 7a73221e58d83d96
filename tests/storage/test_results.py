"""Results of the items of batches: what they say, and in which order they come."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.queue import Tokens
from runyard.runtime.storage.port.results import ItemResult, ItemRetry, ResultsState
from runyard.runtime.storage.port.runs import NewBatch
from runyard.runtime.storage.port.storage import Storage

from .builders import (
    claim,
    claim_all,
    failed_request,
    finish_request,
    insert_batch,
    stateless,
)
from .item_results import ANY, FAILED, end, ends, fail, results, said, state


async def test_an_item_that_has_ended_has_a_result(storage: Storage) -> None:
    new_run = stateless(temporary=True, metadata={"custom_id": "line 7"})
    batch = await insert_batch(storage, new_run, stateless())
    assert await results(storage, batch) == []
    await end(storage, new_run, answer=b'{"n":5}')
    assert await results(storage, batch) == [
        ItemResult(0, 1, new_run.run_id, None, "line 7", "success", 1, 1, b'{"n":5}')
    ]
    assert await state(storage, batch) == ResultsState(1, complete=False, erased=False)


@pytest.mark.parametrize("custom_id", ["a", "7", 7, 0.5, 2**60 + 1, True, False, None, ["a", 1], {"a": {"b": 2}}])
async def test_a_result_has_the_custom_id_as_the_item_has_it(storage: Storage, custom_id: Any) -> None:
    new_run = stateless(metadata={"custom_id": custom_id})
    batch = await insert_batch(storage, new_run)
    await end(storage, new_run)
    await storage.threads.delete(ANY, [new_run.thread_id])
    for (found,) in (
        await results(storage, batch),
        await storage.results.by_end(ANY, batch.batch_id, 0, statuses=(), size=1),
    ):
        assert (type(found.custom_id), found.custom_id) == (type(custom_id), custom_id)


async def test_results_come_in_the_order_of_the_items_or_of_the_ends(storage: Storage) -> None:
    runs = [stateless() for _ in range(3)]
    batch = await insert_batch(storage, *runs)
    leases = [leased.lease for leased in await claim_all(storage)]
    for lease in reversed(leases):
        await storage.queue.finish(finish_request(lease))
    assert [result.index for result in await results(storage, batch)] == [0, 1, 2]
    assert await ends(storage, batch) == [(1, 2), (2, 1), (3, 0)]
    assert await ends(storage, batch, after=2) == [(3, 0)]
    assert [result.index for result in await results(storage, batch, 0)] == [1, 2]
    assert [result.index for result in await results(storage, batch, upto=2)] == [1, 2]
    assert (await state(storage, batch)).complete


async def test_a_page_of_results_has_about_so_many_bytes(storage: Storage) -> None:
    runs = [stateless() for _ in range(4)]
    batch = await insert_batch(storage, *runs)
    for leased in await claim_all(storage):
        await storage.queue.finish(finish_request(leased.lease, answer=b'"' + b"x" * 1000 + b'"'))
    assert [result.index for result in await results(storage, batch, size=1500)] == [0, 1]
    assert [result.index for result in await results(storage, batch, 1, size=1)] == [2]


async def test_results_of_some_statuses(storage: Storage) -> None:
    good, bad = stateless(), stateless()
    batch = await insert_batch(storage, good, bad)
    await end(storage, good)
    await fail(storage, bad)
    (result,) = await results(storage, batch, statuses=["error", "timeout"])
    assert (result.index, said(result)["__error__"]["error"]) == (1, "ValueError")
    assert await results(storage, batch, statuses=["interrupted"]) == []


async def test_tries_and_attempts_are_counted_apart(storage: Storage) -> None:
    new_run = stateless()
    batch = await insert_batch(storage, new_run, retry={"tries": 3})
    await claim(storage, "dead", new_run)
    await storage.workers.reap("dead", max_attempts=9)
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.queue.try_again(failed_request(lease), 0.0)
    while not (await storage.queue.make_due(10)).ready:
        pass
    await end(storage, new_run)
    (result,) = await results(storage, batch)
    assert (result.attempts, result.tries) == (3, 2)


async def test_a_scope_sees_the_results_of_its_own_batches(storage: Storage) -> None:
    new_run, removed, foreign = (
        stateless(metadata={"owner": owner}, thread_metadata={"owner": owner}) for owner in "aab"
    )
    batch = await insert_batch(storage, new_run, removed, foreign, metadata={"owner": "a"})
    for each in (new_run, removed, foreign):
        await fail(storage, each)
    await storage.threads.delete(ANY, [removed.thread_id])
    theirs, others = Scope(filter={"owner": "a"}), Scope(filter={"owner": "b"})
    for scope, seen in ((theirs, 2), (others, 0)):
        assert (await storage.results.state(scope, batch.batch_id) is not None) == bool(seen)
        found = await storage.results.by_index(scope, batch.batch_id, -1, upto=None, statuses=(), size=1000)
        assert len(found) == seen
        assert len(await storage.results.by_end(scope, batch.batch_id, 0, statuses=(), size=1000)) == seen
        assert len(await storage.results.failed(scope, batch.batch_id, -1, statuses=FAILED, limit=9)) == seen
    retry = [ItemRetry(0, new_run.run_id, stateless())]
    assert (await storage.results.retry(others, batch.batch_id, retry)).retried == 0
    assert (await storage.results.retry(theirs, batch.batch_id, retry)).retried == 1


async def test_there_are_no_results_without_a_batch(storage: Storage) -> None:
    nowhere = NewBatch(batch_id="11111111-1111-4111-8111-111111111111")
    assert await storage.results.state(ANY, nowhere.batch_id) is None
    assert await results(storage, nowhere) == []


@pytest.mark.parametrize("temporary", [False, True])
async def test_a_batch_counts_the_tokens_of_its_runs(storage: Storage, temporary: bool) -> None:
    runs = [stateless(temporary=temporary) for _ in range(3)]
    batch = await insert_batch(storage, *runs)
    for new_run, tokens in zip(runs, (Tokens(10, 2, 1), None, Tokens(5, 1, 0)), strict=True):
        await end(storage, new_run, tokens=tokens)
    found = await storage.batches.get(ANY, batch.batch_id)
    assert found is not None
    assert (found.tokens.input, found.tokens.output, found.tokens.cached) == (15, 3, 1)
