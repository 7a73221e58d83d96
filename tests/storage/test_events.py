"""The logs of threads: events of resumable runs, and ends of all."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence

import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.events import EventChunk, NewEvents, RunEnd
from runyard.runtime.storage.port.runs import RunRef
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import NewThread

from .builders import (
    claim,
    failed_request,
    finish_request,
    insert,
    on_thread,
    stateless,
)


async def test_events_are_numbered_as_they_are_written_and_read_from_behind_a_number(storage: Storage) -> None:
    new_run = await insert(storage, stateless(resumable=True))
    leased = await claim(storage, "worker", new_run)
    assert leased.resumable
    assert await storage.events.last(new_run.run_id) == 0
    assert await storage.events.append(leased.lease, [NewEvents(3, b"a")]) == 3
    assert await storage.events.append(leased.lease, [NewEvents(1, b"b"), NewEvents(8, b"c")]) == 12
    chunks = [EventChunk(1, 3, b"a"), EventChunk(4, 4, b"b"), EventChunk(5, 12, b"c")]
    assert await storage.events.last(new_run.run_id) == 12
    assert await storage.events.read(new_run.run_id, 0, size=1000) == chunks
    assert await storage.events.read(new_run.run_id, 2, size=1000) == chunks
    assert await storage.events.read(new_run.run_id, 3, size=1000) == chunks[1:]
    assert await storage.events.read(new_run.run_id, 12, size=1000) == []
    assert await storage.events.read(str(uuid.uuid4()), 0, size=1000) == []


async def test_events_stay_readable_after_the_end_and_go_with_the_run(storage: Storage) -> None:
    new_run = await insert(storage, stateless(resumable=True, temporary=True))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.events.append(lease, [NewEvents(1, b"a")])
    await storage.queue.finish(finish_request(lease, temporary=True))
    assert len(await storage.events.read(new_run.run_id, 0, size=1000)) == 1
    await storage.runs.delete(Scope.everything(), new_run.thread_id, new_run.run_id)
    assert await storage.events.read(new_run.run_id, 0, size=1000) == []
    assert await storage.events.last_of_thread(new_run.thread_id) == 0


@pytest.mark.plain
async def test_a_read_answers_no_more_than_was_asked_for_but_at_least_one_chunk(storage: Storage) -> None:
    new_run = await insert(storage, stateless(resumable=True))
    lease = (await claim(storage, "worker", new_run)).lease
    chunks = [EventChunk(number, number, b"x" * 10) for number in range(1, 6)]
    await storage.events.append(lease, [NewEvents(1, chunk.data) for chunk in chunks])
    assert await storage.events.read(new_run.run_id, 0, size=20) == chunks[:2]
    assert await storage.events.read(new_run.run_id, 2, size=1) == chunks[2:3]
    assert await storage.events.read(new_run.run_id, 3, size=1000) == chunks[3:]


async def new_thread(storage: Storage) -> str:
    thread_id = str(uuid.uuid4())
    await storage.threads.create(Scope.everything(), NewThread(thread_id=thread_id, metadata={}), "raise")
    return thread_id


async def run_with_events(storage: Storage, thread_id: str, *events: NewEvents) -> str:
    """A run of the thread that has ended."""
    new_run = await insert(storage, on_thread(thread_id, resumable=True))
    lease = (await claim(storage, "worker", new_run)).lease
    if events:
        await storage.events.append(lease, events)
    await storage.queue.finish(finish_request(lease))
    return new_run.run_id


async def log_of(storage: Storage, thread_id: str, *, after: int = 0) -> Sequence[EventChunk | RunEnd]:
    upto = await storage.events.last_of_thread(thread_id)
    return await storage.events.read_thread(thread_id, after, upto, size=10_000)


async def test_a_thread_has_one_log_that_is_read_page_by_page(storage: Storage) -> None:
    thread_id = await new_thread(storage)
    runs = [
        await run_with_events(storage, thread_id, NewEvents(2, b"first")),
        await run_with_events(storage, thread_id),
        await run_with_events(storage, thread_id, NewEvents(1, b"second"), NewEvents(1, b"second, later")),
    ]
    log = [
        EventChunk(1, 2, b"first"),
        RunEnd(3, runs[0], "success", False),
        RunEnd(4, runs[1], "success", False),
        EventChunk(5, 5, b"second"),
        EventChunk(6, 6, b"second, later"),
        RunEnd(7, runs[2], "success", False),
    ]
    for size in (1, 6, 1000):
        read: list[EventChunk | RunEnd] = []
        while page := await storage.events.read_thread(thread_id, read[-1].last if read else 0, 7, size=size):
            assert sum(len(entry.data) for entry in page[:-1] if isinstance(entry, EventChunk)) < size
            read += page
        assert read == log
    assert await storage.events.read_thread(thread_id, 1, 2, size=1000) == log[:1]
    assert await storage.events.read_thread(thread_id, 2, 4, size=1000) == log[1:3]
    assert await storage.events.read_thread(thread_id, 7, 9, size=1000) == []
    assert await log_of(storage, str(uuid.uuid4())) == []


async def test_numbers_grow_along_a_thread_though_the_clock_is_set_back(
    storage: Storage, let_time_pass: Callable[[float], None]
) -> None:
    thread_id = await new_thread(storage)
    first = await run_with_events(storage, thread_id, NewEvents(1, b"a"))
    let_time_pass(-1_000_000)
    second = await run_with_events(storage, thread_id, NewEvents(1, b"b"))
    ends = await storage.events.ends(thread_id, 2, limit=10)
    assert [(end.run_id, end.last) for end in ends.ends] == [(second, 4)]
    assert [entry.last for entry in await log_of(storage, thread_id)] == [1, 2, 3, 4]
    assert await storage.events.last(first) < await storage.events.last(second)


async def test_the_ends_of_a_thread_are_those_of_its_runs_in_order_however_they_end(storage: Storage) -> None:
    thread_id = await new_thread(storage)
    ran = await run_with_events(storage, thread_id)
    running = await insert(storage, on_thread(thread_id))
    await claim(storage, "worker", running)
    cancelled = await insert(storage, on_thread(thread_id))
    await storage.runs.cancel(Scope.everything(), [RunRef(thread_id, cancelled.run_id)], "interrupt")
    rolled_back = await insert(storage, on_thread(thread_id))
    await storage.runs.cancel(Scope.everything(), [RunRef(thread_id, rolled_back.run_id)], "rollback")
    await storage.runs.delete(Scope.everything(), thread_id, running.run_id)

    found = await storage.events.ends(thread_id, 0, limit=10)
    assert found.ends == [
        RunEnd(1, ran, "success", False),
        RunEnd(2, cancelled.run_id, "interrupted", False),
        RunEnd(3, rolled_back.run_id, "removed", False),
        RunEnd(4, running.run_id, "removed", False),
    ]
    assert found.upto == await storage.events.last_of_thread(thread_id) == 4
    for place, end in enumerate(found.ends, 1):
        assert list((await storage.events.ends(thread_id, end.last, limit=10)).ends) == found.ends[place:]
    some = await storage.events.ends(thread_id, 0, limit=2)
    assert (some.ends, some.upto) == (found.ends[:2], 2)
    await storage.runs.delete(Scope.everything(), thread_id, ran)
    assert await storage.events.ends(thread_id, 0, limit=10) == found
    await storage.threads.delete(Scope.everything(), [thread_id])
    assert not (await storage.events.ends(thread_id, 0, limit=10)).ends
    assert await storage.events.last_of_thread(thread_id) == 0


async def test_ends_are_looked_for_behind_events_once(storage: Storage) -> None:
    thread_id = await new_thread(storage)
    new_run = await insert(storage, on_thread(thread_id, resumable=True))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.events.append(lease, [NewEvents(5, b"a")])
    found = await storage.events.ends(thread_id, 0, limit=10)
    assert (list(found.ends), found.upto) == ([], 5)


async def test_the_end_of_a_run_whose_thread_goes_with_it_is_in_no_log(storage: Storage) -> None:
    new_run = await insert(storage, stateless(temporary=True))
    await storage.queue.finish(finish_request((await claim(storage, "worker", new_run)).lease, temporary=True))
    assert await storage.events.last_of_thread(new_run.thread_id) == 0


async def test_the_end_of_an_executed_run_says_that_its_events_are_not_stored(storage: Storage) -> None:
    thread_id = await new_thread(storage)
    new_run = await insert(storage, on_thread(thread_id))
    await storage.queue.finish(finish_request((await claim(storage, "worker", new_run)).lease))
    (end,) = (await storage.events.ends(thread_id, 0, limit=10)).ends
    assert end.unstored
    (result,) = await storage.runs.ended(Scope.everything(), [new_run.run_id])
    assert (result.started, result.last_event) == (True, 0)


async def test_a_result_names_the_last_event(storage: Storage) -> None:
    thread_id = await new_thread(storage)
    await run_with_events(storage, thread_id)
    run_id = await run_with_events(storage, thread_id, NewEvents(7, b"events"))
    (result,) = await storage.runs.ended(Scope.everything(), [run_id])
    assert result.last_event == 8


async def test_numbers_are_given_once_whatever_is_removed(storage: Storage) -> None:
    thread_id = await new_thread(storage)
    new_run = await insert(storage, on_thread(thread_id, resumable=True))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.events.append(lease, [NewEvents(5, b"a")])
    await storage.runs.delete(Scope.everything(), thread_id, new_run.run_id)
    assert await log_of(storage, thread_id) == [RunEnd(6, new_run.run_id, "removed", False)]
    while await storage.events.forget(-60.0, 10):
        pass
    assert await log_of(storage, thread_id) == []
    await run_with_events(storage, thread_id, NewEvents(1, b"b"))
    assert [entry.last for entry in await log_of(storage, thread_id)] == [7, 8]


async def test_old_events_are_forgotten_in_steps(storage: Storage) -> None:
    thread_id = await new_thread(storage)
    events = [NewEvents(1, b"x")] * 5
    old = [await run_with_events(storage, thread_id, *events) for _ in range(2)]
    running = await insert(storage, on_thread(thread_id, resumable=True))
    await storage.events.append((await claim(storage, "worker", running)).lease, events)

    assert not await storage.events.forget(60.0, 4)
    assert len((await storage.events.ends(thread_id, 0, limit=10)).ends) == 2
    steps = 1
    while await storage.events.forget(-1.0, 4):
        left = [len(await storage.events.read(run_id, 0, size=1000)) for run_id in old]
        assert sum(left) >= 10 - 4 * steps
        steps += 1
    assert steps > 2
    assert [await storage.events.last(run_id) for run_id in old] == [0, 0]
    assert not (await storage.events.ends(thread_id, 0, limit=10)).ends
    assert len(await storage.events.read(running.run_id, 0, size=1000)) == 5
    location = await storage.runs.locate(Scope.everything(), old[0])
    assert location is not None
    assert not location.resumable
    assert await storage.runs.get(Scope.everything(), thread_id, old[0]) is not None


async def test_the_end_of_a_run_can_be_told_as_long_as_the_run_is_there(storage: Storage) -> None:
    thread_id = await new_thread(storage)
    plain = await insert(storage, on_thread(thread_id))
    assert await storage.events.outcome(plain.run_id) is None
    answer = b'{"n":1}'
    await storage.queue.finish(
        finish_request((await claim(storage, "worker", plain)).lease, answer=answer, values=answer, paused=True)
    )
    spoken = await insert(storage, on_thread(thread_id, resumable=True, protocol=True))
    await storage.queue.finish(failed_request((await claim(storage, "worker", spoken)).lease))
    first = await storage.events.outcome(plain.run_id)
    second = await storage.events.outcome(spoken.run_id)
    assert first is not None
    assert second is not None
    assert (first.graph_id, first.protocol, first.started, first.paused, first.answer) == (
        "chain",
        False,
        True,
        True,
        answer,
    )
    assert (second.protocol, second.paused) == (True, False)
    assert json.loads(second.answer or b"")["__error__"]["message"] == "boom"
    ends = [entry for entry in await log_of(storage, thread_id) if isinstance(entry, RunEnd)]
    assert [end.run_id for end in ends] == [plain.run_id, spoken.run_id]
    assert 0 < ends[0].at <= ends[1].at
    await storage.runs.delete(Scope.everything(), thread_id, plain.run_id)
    assert await storage.events.outcome(plain.run_id) is None
