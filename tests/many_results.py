"""Batches whose runs have ended, without a graph that was executed."""

from __future__ import annotations

import asyncio
import uuid

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.queue import FinishRequest
from runyard.runtime.storage.port.runs import Lane, NewBatch, NewRun
from runyard.runtime.storage.port.storage import Storage

CLAIMED_TOGETHER = 1000


async def ended_batch(storage: Storage, count: int, size: int) -> str:
    """A batch of so many items, each of which has answered about so many bytes; its id."""
    batch = NewBatch(batch_id=str(uuid.uuid4()))
    await storage.runs.insert(Scope.everything(), [_new_run(place) for place in range(count)], batch)
    answer = b'{"text":"%b"}' % (b"x" * size)
    while leased := await storage.queue.claim("worker", limit=CLAIMED_TOGETHER, interactive=CLAIMED_TOGETHER):
        requests = [
            FinishRequest(
                lease=each.lease,
                status="success",
                answer=answer,
                values=None,
                interrupts=b"{}",
                error=None,
                paused=False,
                temporary=True,
                spilled=False,
            )
            for each in leased
        ]
        await asyncio.gather(*map(storage.queue.finish, requests))
    return batch.batch_id


def _new_run(place: int) -> NewRun:
    thread_id = str(uuid.uuid4())
    return NewRun(
        run_id=str(uuid.uuid4()),
        thread_id=thread_id,
        assistant_id="11111111-1111-4111-8111-111111111111",
        graph_id="chain",
        lane=Lane.BATCH,
        delay=0.0,
        strategy="reject",
        metadata={"custom_id": f"line {place}"},
        kwargs={"input": {"n": place}, "config": {"configurable": {"thread_id": thread_id}}, "webhook": None},
        thread_metadata={"graph_id": "chain"},
        temporary=True,
    )
