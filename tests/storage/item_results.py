"""Ends of the items of batches, and their results."""

from __future__ import annotations

import json
from typing import Any

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.results import ItemResult, ResultsState
from runyard.runtime.storage.port.runs import FinalStatus, NewBatch, NewRun
from runyard.runtime.storage.port.storage import Storage

from .builders import (
    claim,
    failed_request,
    finish_request,
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
