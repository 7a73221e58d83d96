"""Whoever changes runs of several batches at once waits for nobody in a circle."""

from __future__ import annotations

import asyncio

import pytest

from runyard.runtime.errors import Conflict
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.results import ItemRetry
from runyard.runtime.storage.port.runs import Lane, NewRun
from runyard.runtime.storage.port.storage import Storage

from .builders import (
    claim_all,
    failed_request,
    finish_request,
    idle_thread,
    insert,
    insert_batch,
    on_thread,
    ref,
    stateless,
)
from .conftest import Open

ALL = Scope.everything()
ITEMS = 20


async def test_several_servers_execute_batches_whose_items_alternate(
    another: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = [another() for _ in range(3)]
    batches = [await insert_batch(servers[0], *(stateless(lane=Lane.BATCH) for _ in range(ITEMS))) for _ in "ab"]
    for run in await claim_all(servers[0]):
        await servers[0].queue.finish(failed_request(run.lease))
    failed = [
        await servers[0].results.failed(ALL, batch.batch_id, -1, statuses=("error",), limit=ITEMS) for batch in batches
    ]
    for items in zip(*failed, strict=True):
        for batch, item in zip(batches, items, strict=True):
            retry = ItemRetry(item.index, item.run_id, stateless(lane=Lane.BATCH))
            await servers[0].results.retry(ALL, batch.batch_id, [retry])
    if servers[0].capabilities.several_servers:
        # A deadlock, which otherwise only takes its time, fails then.
        monkeypatch.setattr("runyard.runtime.storage.postgres.database.transactions.TRIES", 1)

    async def execute(storage: Storage, worker: str) -> int:
        executed = 0
        while claimed := await storage.queue.claim(worker, limit=3, interactive=3):
            await asyncio.gather(*(storage.queue.finish(finish_request(run.lease)) for run in claimed))
            executed += len(claimed)
        return executed

    workers = [execute(storage, f"{worker} of {index}") for index, storage in enumerate(servers) for worker in "ab"]
    assert sum(await asyncio.gather(*workers)) == len(batches) * ITEMS
    for batch in batches:
        ended = await servers[0].batches.get(ALL, batch.batch_id)
        assert ended is not None
        assert (ended.status, ended.counts.success) == ("completed", ITEMS)


async def test_runs_of_several_batches_are_cancelled_in_any_order(
    another: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = [another() for _ in range(2)]
    items = [[stateless(lane=Lane.BATCH) for _ in range(ITEMS)] for _ in "ab"]
    batches = [await insert_batch(servers[0], *each) for each in items]
    monkeypatch.setattr("runyard.runtime.storage.postgres.database.transactions.TRIES", 1)  # as above
    one, other = items
    there = [ref(item) for first, second in zip(one[::2], other[::2], strict=True) for item in (first, second)]
    back = [ref(item) for first, second in zip(one[1::2], other[1::2], strict=True) for item in (second, first)]
    cancels = [
        storage.runs.cancel(ALL, refs[place : place + 4], "interrupt")
        for storage, refs in zip(servers, (there, back), strict=True)
        for place in range(0, len(refs), 4)
    ]
    await asyncio.gather(*cancels)
    for batch in batches:
        ended = await servers[0].batches.get(ALL, batch.batch_id)
        assert ended is not None
        assert ended.counts.interrupted == ITEMS


async def test_threads_with_runs_of_several_batches_are_deleted_in_any_order(
    another: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = [another() for _ in range(2)]
    items = [[stateless(lane=Lane.BATCH) for _ in range(ITEMS)] for _ in "ab"]
    for each in items:
        await insert_batch(servers[0], *each)
    monkeypatch.setattr("runyard.runtime.storage.postgres.database.transactions.TRIES", 1)  # as above
    pairs = list(zip(*items, strict=True))
    deletions = [
        servers[place % 2].threads.delete(ALL, [item.thread_id for item in (pair if place % 2 else pair[::-1])])
        for place, pair in enumerate(pairs)
    ]
    deleted = await asyncio.gather(*deletions)
    assert sum(len(each.threads) for each in deleted) == 2 * ITEMS


async def test_a_transaction_on_very_many_threads_and_one_on_each_wait_for_each_other(
    another: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runyard.runtime.storage.postgres.database.connection.MOST_LOCKS", 3)
    storage, other = another(), another()
    thread_ids = [await idle_thread(storage) for _ in range(6)]
    runs = [[on_thread(thread_id, strategy="reject") for thread_id in thread_ids] for _ in range(2)]
    single = [insert(other, on_thread(thread_id, strategy="reject")) for thread_id in thread_ids]
    answers = await asyncio.gather(insert(storage, *runs[0]), insert(other, *runs[1]), *single, return_exceptions=True)
    accepted = [await other.runs.of_thread(ALL, thread, limit=9, offset=0, status="pending") for thread in thread_ids]
    assert all(len(runs) <= 1 for runs in accepted), "none was accepted beside another"
    assert all(isinstance(answer, Conflict | NewRun) for answer in answers)
