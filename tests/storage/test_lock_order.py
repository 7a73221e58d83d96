"""Whoever changes runs of several batches at once waits for nobody in a circle."""

from __future__ import annotations

import asyncio

import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.results import ItemRetry
from runyard.runtime.storage.port.runs import Lane
from runyard.runtime.storage.port.storage import Storage

from .builders import claim_all, failed_request, finish_request, insert_batch, stateless
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
        monkeypatch.setattr("runyard.runtime.storage.postgres.database.TRIES", 1)

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
