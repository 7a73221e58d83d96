"""Events of resumable streams."""

from __future__ import annotations

import time
import uuid

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.events import EventChunk, EventPlace
from runyard.runtime.storage.port.runs import RunRef
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
        await storage.events.append(leased.lease, [chunk])
    assert await storage.events.last(new_run.run_id) == 12
    assert await storage.events.read(new_run.run_id, 0, size=1000) == chunks
    assert await storage.events.read(new_run.run_id, 2, size=1000) == chunks
    assert await storage.events.read(new_run.run_id, 3, size=1000) == chunks[1:]
    assert await storage.events.read(new_run.run_id, 12, size=1000) == []
    assert await storage.events.read(str(uuid.uuid4()), 0, size=1000) == []


async def test_events_stay_readable_after_the_end_and_go_with_the_run(storage: Storage) -> None:
    new_run = await insert(storage, stateless(resumable=True))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.events.append(lease, [EventChunk(1, 1, b"a")])
    await storage.queue.finish(finish_request(lease))
    assert len(await storage.events.read(new_run.run_id, 0, size=1000)) == 1
    await storage.runs.delete(Scope.everything(), new_run.thread_id, new_run.run_id)
    assert await storage.events.read(new_run.run_id, 0, size=1000) == []


async def test_a_read_answers_no_more_than_was_asked_for_but_at_least_one_chunk(storage: Storage) -> None:
    new_run = await insert(storage, stateless(resumable=True))
    lease = (await claim(storage, "worker", new_run)).lease
    chunks = [EventChunk(number, number, b"x" * 10) for number in range(1, 6)]
    await storage.events.append(lease, chunks)
    assert await storage.events.read(new_run.run_id, 0, size=20) == chunks[:2]
    assert await storage.events.read(new_run.run_id, 2, size=1) == chunks[2:3]
    assert await storage.events.read(new_run.run_id, 3, size=1000) == chunks[3:]


async def run_with_events(storage: Storage, thread_id: str, chunks: list[EventChunk]) -> str:
    """A run of the thread that has ended."""
    new_run = await insert(storage, on_thread(thread_id, resumable=True))
    lease = (await claim(storage, "worker", new_run)).lease
    if chunks:
        await storage.events.append(lease, chunks)
    await storage.queue.finish(finish_request(lease))
    return new_run.run_id


async def test_the_events_of_a_thread_come_run_by_run_and_page_by_page(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    chunks = [EventChunk(1, 2, b"first"), EventChunk(1, 1, b"second"), EventChunk(2, 2, b"second, later")]
    for mine in (chunks[:1], [], chunks[1:]):
        await run_with_events(storage, thread_id, mine)

    for size in (1, 6, 1000):
        place: EventPlace | None = await storage.events.place(thread_id, 0)
        read: list[EventChunk] = []
        while place is not None:
            page = await storage.events.read_thread(thread_id, place, size=size)
            assert sum(len(chunk.data) for chunk in page.chunks[:-1]) < size
            read += page.chunks
            place = page.next
        assert read == chunks
    later = await storage.events.place(thread_id, time.time_ns() // 1_000_000 + 60_000)
    assert not (await storage.events.read_thread(thread_id, later, size=1000)).chunks
    nowhere = str(uuid.uuid4())
    assert not (await storage.events.read_thread(nowhere, await storage.events.place(nowhere, 0), size=9)).chunks


async def test_the_ends_of_a_thread_are_those_of_its_runs_in_order_however_they_end(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    before = await storage.events.last_end(thread_id)
    ran = await run_with_events(storage, thread_id, [])
    running = await insert(storage, on_thread(thread_id))
    await claim(storage, "worker", running)
    cancelled = await insert(storage, on_thread(thread_id))
    await storage.runs.cancel(Scope.everything(), [RunRef(thread_id, cancelled.run_id)], "interrupt")
    rolled_back = await insert(storage, on_thread(thread_id))
    await storage.runs.cancel(Scope.everything(), [RunRef(thread_id, rolled_back.run_id)], "rollback")
    await storage.runs.delete(Scope.everything(), thread_id, running.run_id)

    ends = await storage.events.ends(thread_id, before, limit=10)
    assert [end.run_id for end in ends] == [ran, cancelled.run_id, rolled_back.run_id, running.run_id]
    assert not any(end.unstored for end in ends)
    assert await storage.events.last_end(thread_id) == ends[-1].place
    for place, end in enumerate(ends):
        assert await storage.events.end_of(thread_id, end.place.seq) == end.place
        assert await storage.events.ends(thread_id, end.place, limit=10) == ends[place + 1 :]
    assert await storage.events.ends(thread_id, before, limit=2) == ends[:2]
    await storage.runs.delete(Scope.everything(), thread_id, ran)
    assert [end.run_id for end in await storage.events.ends(thread_id, before, limit=10)] == [
        end.run_id for end in ends
    ]
    await storage.threads.delete(Scope.everything(), [thread_id])
    assert await storage.events.ends(thread_id, before, limit=10) == []
    assert await storage.events.end_of(thread_id, ends[0].place.seq) is None


async def test_the_end_of_an_executed_run_says_that_its_events_are_not_stored(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    before = await storage.events.last_end(thread_id)
    new_run = await insert(storage, on_thread(thread_id))
    await storage.queue.finish(finish_request((await claim(storage, "worker", new_run)).lease))
    (end,) = await storage.events.ends(thread_id, before, limit=10)
    assert end.unstored
    (result,) = await storage.runs.ended(Scope.everything(), [new_run.run_id])
    assert (result.started, result.last_event) == (True, 0)


async def test_a_result_names_the_last_event(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    run_id = await run_with_events(storage, thread_id, [EventChunk(1, 7, b"events")])
    (result,) = await storage.runs.ended(Scope.everything(), [run_id])
    assert result.last_event == 7


async def test_old_events_are_forgotten_in_steps(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    chunks = [EventChunk(number, number, b"x") for number in range(1, 6)]
    old = [await run_with_events(storage, thread_id, chunks) for _ in range(2)]
    running = await insert(storage, on_thread(thread_id, resumable=True))
    await storage.events.append((await claim(storage, "worker", running)).lease, chunks)

    assert not await storage.events.forget(60.0, 4)
    steps = 1
    while await storage.events.forget(-1.0, 4):
        left = [len(await storage.events.read(run_id, 0, size=1000)) for run_id in old]
        assert sum(left) >= 10 - 4 * steps
        steps += 1
    assert steps > 2
    assert [await storage.events.last(run_id) for run_id in old] == [0, 0]
    assert await storage.events.read(running.run_id, 0, size=1000) == chunks
    location = await storage.runs.locate(Scope.everything(), old[0])
    assert location is not None
    assert not location.resumable
    assert await storage.runs.get(Scope.everything(), thread_id, old[0]) is not None
