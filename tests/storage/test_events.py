"""Events of resumable streams."""

from __future__ import annotations

import uuid

from runyard.runtime.storage.port.events import EventChunk
from runyard.runtime.storage.port.storage import Storage

from .builders import (
    claim,
    finish_request,
    idle_thread,
    insert,
    on_thread,
    stateless,
)


async def test_events_are_read_from_behind_a_number(storage: Storage) -> None:
    new_run = await insert(storage, stateless(resumable=True))
    leased = await claim(storage, "worker", new_run)
    assert leased.resumable
    assert await storage.events.last(new_run.run_id) == 0
    chunks = [EventChunk(1, 3, b"a"), EventChunk(4, 4, b"b"), EventChunk(5, 12, b"c")]
    for chunk in chunks:
        await storage.events.append(leased.lease, chunk)
    assert await storage.events.last(new_run.run_id) == 12
    assert await storage.events.read(new_run.run_id, 0) == chunks
    assert await storage.events.read(new_run.run_id, 2) == chunks
    assert await storage.events.read(new_run.run_id, 3) == chunks[1:]
    assert await storage.events.read(new_run.run_id, 12) == []
    assert await storage.events.read(str(uuid.uuid4()), 0) == []


async def test_events_stay_readable_after_the_end_and_go_with_the_run(storage: Storage) -> None:
    new_run = await insert(storage, stateless(resumable=True))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.events.append(lease, EventChunk(1, 1, b"a"))
    await storage.queue.finish(finish_request(lease))
    assert len(await storage.events.read(new_run.run_id, 0)) == 1
    await storage.runs.delete(new_run.thread_id, new_run.run_id)
    assert await storage.events.read(new_run.run_id, 0) == []


async def test_the_events_of_a_thread_come_run_by_run(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    chunks = [EventChunk(1, 2, b"first"), EventChunk(1, 1, b"second"), EventChunk(2, 2, b"second, later")]
    for mine in (chunks[:1], chunks[1:]):
        new_run = await insert(storage, on_thread(thread_id, resumable=True))
        lease = (await claim(storage, "worker", new_run)).lease
        for chunk in mine:
            await storage.events.append(lease, chunk)
        await storage.queue.finish(finish_request(lease))
    assert await storage.events.read_thread(thread_id) == chunks
    assert await storage.events.read_thread(str(uuid.uuid4())) == []
