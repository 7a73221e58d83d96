"""`kill -9` of whoever accepts, executes, retries and cancels batches: counts and results stay right."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from runyard.generated.models import Batch
from runyard.runtime.storage.port.storage import Storage

from .backends import BACKENDS, PLAIN
from .batch_strain import ACTIVE, ALL, SIZE, batches, recover, strain
from .builders import claim_all, finish_request
from .processes import kill, start

KILLS = 60
CHANGES = 10
"""So many are made, at most, before a kill."""


async def check(storage: Storage, batch: Batch) -> None:
    """What the counts say is what a scan finds, and each item that has ended has one result."""
    runs = await storage.batches.runs(ALL, batch.batch_id, statuses=("pending", "running"), limit=SIZE + 1, offset=0)
    lines = await storage.results.by_index(ALL, batch.batch_id, -1, upto=None, statuses=(), size=2**20)
    assert runs is not None
    found = Counter([*(run.status for run in runs), *(line.status for line in lines)])
    assert {status: count for status, count in asdict(batch.counts).items() if count} == found
    assert found.total() == SIZE
    assert len({line.index for line in lines}) == len(lines)
    assert (batch.ended_at is None) == bool(runs)


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", PLAIN)
async def test_counts_and_results_stay_right_through_kills(backend: str, tmp_path: Path) -> None:
    rng, storage = random.Random(12), BACKENDS[backend].make(tmp_path)
    storage.open(maintain=False)
    for seed in range(KILLS):
        process, ready = start(strain, backend, tmp_path, seed)
        for _ in range(1 + rng.randrange(CHANGES)):
            ready.recv_bytes()
        time.sleep(rng.uniform(0.0, 0.003))  # noqa: ASYNC251 - the kill is to fall at random
        kill(process)
        ready.close()
        for batch in await batches(storage, "queued", "running"):
            await check(storage, batch)

    # Nothing is held back, or waits, for what was killed.
    await recover(storage)
    while await batches(storage, "queued", "running"):
        await storage.threads.remove_leftovers()  # of those whose deletion was cut short
        await storage.queue.make_due(1000)
        for leased in await claim_all(storage):
            await storage.queue.finish(finish_request(leased.lease, temporary=leased.temporary))
    ended = await batches(storage, "completed", "cancelled")
    assert len(ended) > ACTIVE
    for batch in ended:
        await check(storage, batch)
    outcomes = Counter(status for batch in ended for status, count in asdict(batch.counts).items() if count)
    assert {"success", "error", "interrupted"} <= outcomes.keys()
    storage.close()
