"""What a run's stream lacks is read from storage, or the stream says that it is cut."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from runyard.runtime.storage.port.runs import RunResult
from runyard.runtime.streams.backlog import Backlog
from runyard.runtime.streams.events import Event, stored_event
from runyard.runtime.streams.subscriptions import RunSubscription


def numbered(*numbers: int) -> list[Event]:
    return [stored_event(number, "custom", b"%d" % number) for number in numbers]


class Stored:
    """The stored events of a run, three a page."""

    def __init__(self, last: int = 0) -> None:
        self.last = last
        self.reads: list[int] = []

    async def __call__(self, after: int) -> list[Event]:
        self.reads.append(after)
        await asyncio.sleep(0)
        return numbered(*range(after + 1, min(after + 3, self.last) + 1))


def subscription(stored: Stored, *, backlog: Backlog | None = None, **options: Any) -> RunSubscription:
    options = {"announced": False, "resumable": True, **options}
    return RunSubscription("run", lambda _: None, stored, backlog or Backlog(), **options)


async def read_all(stream: RunSubscription) -> list[Event]:
    events: list[Event] = []
    while (batch := await stream.next(5)) is not None:
        assert batch, "nothing comes any more, and no end"
        events += batch
    return events


def ended(last: int, status: Any = "success", answer: bytes = b"1") -> RunResult:
    return RunResult("run", status, answer, last, True)


def error_of(event: Event) -> str:
    assert event.name == "error"
    name: str = orjson.loads(event.data)["error"]
    return name


async def test_events_that_come_in_order_are_not_read_from_storage() -> None:
    stored = Stored()
    stream = subscription(stored)
    stream.add(numbered(1, 2, 3))
    stream.end(ended(3))
    assert await read_all(stream) == numbered(1, 2, 3)
    assert stored.reads == []


async def test_a_gap_is_filled_from_storage_page_by_page() -> None:
    stored = Stored(9)
    stream = subscription(stored)
    stream.add(numbered(1, 2))
    stream.add(numbered(9), before=8)
    stream.end(ended(9))
    assert await read_all(stream) == numbered(*range(1, 10))


async def test_a_tail_that_never_came_is_read_from_storage() -> None:
    stream = subscription(Stored(5))
    stream.add(numbered(1, 2))
    assert await stream.next(5) == numbered(1, 2)
    stream.end(ended(5), untold=True)
    assert await read_all(stream) == numbered(3, 4, 5)


async def test_what_comes_while_storage_is_read_is_neither_lost_nor_repeated() -> None:
    stored = Stored(4)
    stream = subscription(stored, replay=True)
    reading = asyncio.create_task(read_all(stream))
    for number in range(1, 12):
        stored.last = max(stored.last, number)
        stream.add(numbered(number), before=number - 1)
        await asyncio.sleep(0)
    stream.end(ended(11))
    assert await reading == numbered(*range(1, 12))


async def test_a_page_is_read_when_its_reader_asks_for_it() -> None:
    stored = Stored(100)
    stream = subscription(stored, replay=True)
    stream.end(ended(100))
    assert await stream.next(5) == numbered(1, 2, 3)
    assert stored.reads == [0]


async def test_events_that_are_stored_and_were_not_sent_are_read() -> None:
    stream = subscription(Stored(2))
    stream.stored(2)
    assert await stream.next(5) == numbered(1, 2)


async def test_events_that_are_not_kept_any_longer_are_said_to_be_missing() -> None:
    stream = subscription(Stored(2))
    stream.end(ended(5))
    *events, last = await read_all(stream)
    assert events == numbered(1, 2)
    assert error_of(last) == "StreamCut"


async def test_an_end_that_no_worker_told_cuts_a_stream_that_nothing_is_stored_of() -> None:
    stream = subscription(Stored(), resumable=False)
    stream.add([Event("custom", b"1")])
    stream.end(ended(0), untold=True)
    first, last = await read_all(stream)
    assert first == Event("custom", b"1")
    assert error_of(last) == "StreamCut"
    assert b"stream_resumable" in last.data


async def test_an_end_with_an_error_of_its_own_says_only_that() -> None:
    stream = subscription(Stored(), resumable=False)
    stream.end(ended(0, "error", b'{"__error__":{"error":"WorkerLost","message":"x"}}'), untold=True)
    (only,) = await read_all(stream)
    assert error_of(only) == "WorkerLost"


async def test_a_slow_reader_of_a_run_that_is_not_stored_is_told() -> None:
    backlog = Backlog(limit=5000)
    stream = subscription(Stored(), resumable=False, backlog=backlog)
    for _ in range(20):
        stream.add([Event("custom", b"x" * 1000)])
    (only,) = await read_all(stream)
    assert error_of(only) == "SlowReader"
    assert backlog.size == 0


async def test_a_slow_reader_of_a_stored_run_gets_everything() -> None:
    stored = Stored()
    stream = subscription(stored, backlog=Backlog(limit=2000))
    for number in range(1, 21):
        stored.last = number
        stream.add(numbered(number), before=number - 1)
    stream.end(ended(20))
    assert await read_all(stream) == numbered(*range(1, 21))


def unstored(*texts: str) -> list[Event]:
    return [Event("custom", text.encode()) for text in texts]


async def test_a_gap_in_what_is_not_stored_ends_the_stream_and_is_told() -> None:
    stream = subscription(Stored(), resumable=False)
    stream.add(unstored("a", "b"), 0)
    stream.add(unstored("d"), 3)
    *events, error = await read_all(stream)
    assert (events, error_of(error)) == (unstored("a", "b"), "StreamCut")


async def test_a_tail_of_what_is_not_stored_that_never_came_is_told() -> None:
    stream = subscription(Stored(), resumable=False)
    stream.add(unstored("a"), 0)
    stream.reaches(2)
    *events, error = await read_all(stream)
    assert (events, error_of(error)) == (unstored("a"), "StreamCut")


async def test_who_joins_and_another_attempt_miss_nothing() -> None:
    joined, first = subscription(Stored(), resumable=False, announced=True), subscription(Stored(), resumable=False)
    joined.add(unstored("f"), 5)
    first.add(unstored("a", "b"), 0)
    first.add(unstored("a"), 0)
    for stream, count, texts in ((joined, 6, "f"), (first, 1, "aba")):
        stream.reaches(count)
        stream.end(ended(0))
        assert await read_all(stream) == unstored(*texts)


async def test_what_is_kept_from_a_stream_ends_it_unless_it_is_stored() -> None:
    stream, kept = subscription(Stored(), resumable=False), subscription(Stored(2))
    stream.miss()
    kept.miss()
    kept.end(ended(2))
    (error,) = await read_all(stream)
    assert error_of(error) == "StreamCut"
    assert await read_all(kept) == numbered(1, 2)


async def test_who_hears_how_many_events_there_were_misses_none_silently() -> None:
    stream, joined = subscription(Stored(), resumable=False), subscription(Stored(), resumable=False, announced=True)
    for each in (stream, joined):
        each.add([], 2)
    (error,) = await read_all(stream)
    assert error_of(error) == "StreamCut"
    joined.add(unstored("d"), 3)
    (error,) = await read_all(joined)
    assert error_of(error) == "StreamCut"
