"""Batches in storage, and what becomes of their runs."""

from __future__ import annotations

import uuid
from typing import Any

from runyard.generated.models import Batch, BatchCounts
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.queue import LeasedRun
from runyard.runtime.storage.port.runs import Lane, NewBatch, NewRun
from runyard.runtime.storage.port.storage import Storage

from .builders import finish_request, ref, stateless

ALL = Scope.everything()


async def insert_batch(
    storage: Storage, size: int, *, scope: Scope = ALL, item: dict[str, Any] | None = None, **changes: Any
) -> tuple[str, list[NewRun]]:
    """`item`: fields of its runs; `changes`: fields of the batch."""
    batch = NewBatch(**{"batch_id": str(uuid.uuid4()), **changes})
    runs = [stateless(**{"lane": Lane.BATCH, **(item or {})}) for _ in range(size)]
    inserted = await storage.runs.insert(scope, runs, batch)
    assert [run.batch_id for run in inserted.runs] == [batch.batch_id] * size
    return batch.batch_id, runs


async def get(storage: Storage, batch_id: str) -> Batch:
    batch = await storage.batches.get(ALL, batch_id)
    assert batch is not None
    return batch


def counted(**counts: int) -> BatchCounts:
    return BatchCounts(
        **{**dict.fromkeys(("pending", "running", "success", "error", "timeout", "interrupted"), 0), **counts}
    )


async def counts(storage: Storage, batch_id: str) -> BatchCounts:
    return (await get(storage, batch_id)).counts


async def finish(storage: Storage, *leased: LeasedRun, **changes: Any) -> None:
    for run in leased:
        await storage.queue.finish(finish_request(run.lease, **changes))


async def remove_run(storage: Storage, run: NewRun) -> None:
    await storage.runs.delete(ALL, run.thread_id, run.run_id)


async def roll_back(storage: Storage, run: NewRun) -> None:
    await storage.runs.cancel(ALL, [ref(run)], "rollback")


async def delete_thread(storage: Storage, run: NewRun) -> None:
    await storage.threads.delete(ALL, [run.thread_id])
