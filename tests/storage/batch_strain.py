"""A process that does all kinds of things to batches until it is killed."""

from __future__ import annotations

import asyncio
import random
from multiprocessing.connection import Connection
from pathlib import Path

from runyard.generated.models import Batch, BatchStatus
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.results import ItemRetry
from runyard.runtime.storage.port.runs import Lane
from runyard.runtime.storage.port.storage import Storage

from .backends import BACKENDS
from .builders import failed_request, finish_request, insert_batch, stateless

ALL = Scope.everything()
SIZE = 60
"""Items of a batch."""
ACTIVE = 3
"""Batches that are under way at a time."""
WORKER = "worker"


async def batches(storage: Storage, *statuses: BatchStatus) -> list[Batch]:
    return await storage.batches.search(ALL, statuses=statuses, name=None, metadata=None, limit=1000, offset=0)


async def accept(storage: Storage, rng: random.Random) -> None:
    runs = [stateless(lane=Lane.BATCH, temporary=rng.random() < 0.5) for _ in range(SIZE)]
    await insert_batch(storage, *runs, max_concurrency=rng.choice((None, 3)), webhook="http://a.test/")


async def execute(storage: Storage, rng: random.Random) -> None:
    """Some runs, each of which succeeds, fails or is to be tried again."""
    for leased in await storage.queue.claim(WORKER, limit=6, interactive=6):
        temporary = leased.temporary
        failed = failed_request(leased.lease, temporary=temporary)
        match rng.randrange(4):
            case 0:
                await storage.queue.finish(failed)
            case 1:
                await storage.queue.try_again(failed, 0.005)
            case _:
                await storage.queue.finish(finish_request(leased.lease, temporary=temporary))
    await storage.queue.make_due(10)


async def retry(storage: Storage, batch_id: str) -> None:
    failed = await storage.results.failed(ALL, batch_id, -1, statuses=("error", "interrupted"), limit=5)
    retries = [ItemRetry(item.index, item.run_id, stateless(lane=Lane.BATCH, temporary=True)) for item in failed]
    await storage.results.retry(ALL, batch_id, retries)


async def disturb(storage: Storage, rng: random.Random) -> None:
    active = [batch.batch_id for batch in await batches(storage, "queued", "running")]
    if len(active) < ACTIVE:
        await accept(storage, rng)
        return
    what, batch_id = rng.randrange(12), rng.choice(active)
    if what == 0:
        await storage.batches.request_cancel(ALL, batch_id)
        await storage.batches.stop_some(batch_id, -1, 5)
    elif what in (1, 2):
        await retry(storage, batch_id)
    elif what == 3:
        runs = await storage.batches.runs(ALL, batch_id, statuses=None, limit=2, offset=rng.randrange(SIZE))
        await storage.threads.delete(ALL, [run.thread_id for run in runs or ()])
    else:
        await execute(storage, rng)


async def recover(storage: Storage) -> None:
    """Takes back what the process before had claimed."""
    await storage.workers.reap(WORKER, max_attempts=1_000_000, crashed=False)


def strain(backend: str, directory: Path, seed: int, ready: Connection) -> None:
    """Goes on until it is killed. Says that it is ready, and then each time that it has changed something."""

    async def work() -> None:
        rng, storage = random.Random(seed), BACKENDS[backend].make(directory)
        storage.open(maintain=False)
        await recover(storage)
        while True:
            ready.send_bytes(b"ready")
            await disturb(storage, rng)

    asyncio.run(work())
