"""Results of the items of batches: they outlive runs and threads, for as long as they are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from runyard.runtime.lifecycle import timed_out
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.queue import Tokens
from runyard.runtime.storage.port.results import ItemResult, ItemRetry, ResultsState
from runyard.runtime.storage.port.runs import FinalStatus, NewBatch, NewRun
from runyard.runtime.storage.port.storage import Storage

from .builders import (
    claim,
    claim_all,
    failed_request,
    finish_request,
    insert_batch,
    ref,
    run_status,
    stateless,
)

ANY = Scope.everything()
FAILED: tuple[FinalStatus, ...] = ("error", "timeout")


async def results(storage: Storage, batch: NewBatch, after: int = -1, **asked: Any) -> list[ItemResult]:
    return await storage.results.by_index(
        ANY, batch.batch_id, after, **{"upto": None, "statuses": (), "size": 2**20, **asked}
    )


async def ends(storage: Storage, batch: NewBatch, after: int = 0) -> list[tuple[int, int]]:
    """(end, index) of each result behind an end."""
    found = await storage.results.by_end(ANY, batch.batch_id, after, statuses=(), size=2**20)
    return [(result.end, result.index) for result in found]


async def end(storage: Storage, new_run: NewRun, **changes: Any) -> None:
    """Claims the run, which has to be the next, and ends it."""
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.queue.finish(finish_request(lease, temporary=new_run.temporary, **changes))


async def fail(storage: Storage, new_run: NewRun) -> None:
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.queue.finish(failed_request(lease, temporary=new_run.temporary))


async def erase(storage: Storage, ttl: float = -1.0) -> None:
    """Gives up results that are old enough, until nothing is left of them."""
    while await storage.results.expire(ttl, 2):
        pass


def said(result: ItemResult) -> Any:
    assert result.answer is not None
    return json.loads(result.answer)


async def state(storage: Storage, batch: NewBatch) -> ResultsState:
    found = await storage.results.state(ANY, batch.batch_id)
    assert found is not None
    return found


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


@pytest.mark.parametrize("temporary", [False, True])
async def test_a_batch_counts_the_tokens_of_its_runs(storage: Storage, temporary: bool) -> None:
    runs = [stateless(temporary=temporary) for _ in range(3)]
    batch = await insert_batch(storage, *runs)
    for new_run, tokens in zip(runs, (Tokens(10, 2, 1), None, Tokens(5, 1, 0)), strict=True):
        await end(storage, new_run, tokens=tokens)
    found = await storage.batches.get(ANY, batch.batch_id)
    assert found is not None
    assert (found.tokens.input, found.tokens.output, found.tokens.cached) == (15, 3, 1)


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
