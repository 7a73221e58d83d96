"""What the stream of a thread lacks is read from the thread's log, in its place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import orjson
import pytest

from runyard.runtime.streams.backlog import Backlog
from runyard.runtime.streams.events import Event, EventId, done_data, run_done, stored_event
from runyard.runtime.streams.thread_subscription import ThreadSubscription

ALL = frozenset({"run_modes"})


def numbered(*numbers: int) -> list[Event]:
    return [stored_event(number, "custom", b"%d" % number) for number in numbers]


def unstored(*names: str) -> list[Event]:
    return [Event("custom", name.encode()) for name in names]


class Log:
    """The log of a thread, two events a page; `ends` are numbers of ends."""

    def __init__(self, ends: Iterable[int] = ()) -> None:
        self.ends = {*ends}
        self.reads: list[tuple[int, int]] = []

    async def __call__(self, after: int, upto: int) -> AsyncIterator[list[Event]]:
        self.reads.append((after, upto))
        for first in range(after + 1, upto + 1, 2):
            yield [self.event(number) for number in range(first, min(first + 1, upto) + 1)]

    def event(self, number: int) -> Event:
        return run_done(f"run {number}", number) if number in self.ends else numbered(number)[0]


async def values() -> bytes | None:
    return b"{}"


def subscription(
    log: Log, *, last: int = 0, after: str | None = None, modes: frozenset[str] = ALL, backlog: Backlog | None = None
) -> ThreadSubscription:
    return ThreadSubscription(
        "thread", lambda _: None, log, values, backlog or Backlog(), modes, last=last, after=after
    )


async def read_all(stream: ThreadSubscription) -> list[Event]:
    """What is at hand."""
    events: list[Event] = []
    while batch := await stream.next(0):
        events += batch
    return events


def said(events: Iterable[Event]) -> list[str]:
    return [event.data.decode() for event in events]


async def test_events_that_follow_each_other_are_not_read_from_the_log() -> None:
    log = Log()
    stream = subscription(log, last=7)
    stream.add(numbered(8, 9))
    stream.run_done("run", 10)
    stream.add(numbered(11))
    assert [event.id for event in await read_all(stream)] == ["8-0", "9-0", "10-0", "11-0"]
    assert log.reads == []


async def test_what_is_missing_between_two_events_is_read_in_its_place() -> None:
    log = Log(ends=[4])
    stream = subscription(log)
    stream.add(numbered(1) + unstored("a") + numbered(5) + unstored("b"))
    events = await read_all(stream)
    assert said(events) == ["1", "a", "2", "3", done_data("run 4").decode(), "5", "b"]
    assert [event.id for event in events] == ["1-0", "1-1", "2-0", "3-0", "4-0", "5-0", "5-1"]
    assert log.reads == [(1, 5)]


async def test_an_end_that_is_told_late_comes_once_and_where_the_log_has_it() -> None:
    stream = subscription(Log(ends=[1]))
    stream.add(numbered(2))
    stream.run_done("run 1", 1)
    stream.stored(2)
    assert [event.number for event in await read_all(stream)] == [1, 2]


async def test_a_late_end_comes_after_what_was_sent_before() -> None:
    stream = subscription(Log(ends=[1]))
    stream.add(unstored("a"))
    stream.run_cut("run 1")
    stream.stored(1)
    names = [event.name for event in await read_all(stream)]
    assert names == ["custom", "error", "metadata"]


@pytest.mark.parametrize(
    ("after", "first"), [("0-0", 1), ("3-0", 4), ("3-7", 4), ("5-0", 6), ("-1", 1), ("1764122711000-2", 1), ("6-0", 1)]
)
async def test_a_reader_goes_on_behind_an_id_and_begins_with_the_first_behind_any_other(after: str, first: int) -> None:
    stream = subscription(Log(), last=5, after=after)
    stream.add(numbered(6))
    assert [event.number for event in await read_all(stream)] == [*range(first, 7)]


async def test_the_ids_of_what_is_not_stored_go_on_where_the_reader_was() -> None:
    stream = subscription(Log(), last=3)
    stream.add(unstored("a", "b"))
    seen = await read_all(stream)
    again = subscription(Log(), last=3, after=seen[-1].id)
    again.add(unstored("c") + numbered(4) + unstored("d"))
    seen += await read_all(again)
    assert [event.id for event in seen] == ["3-1", "3-2", "3-3", "4-0", "4-1"]
    places = [EventId.parse(event.id, last=9) for event in seen]
    assert places == sorted({*places})


async def test_a_slow_reader_of_stored_events_gets_all_of_them() -> None:
    backlog = Backlog(limit=5000)
    stream = subscription(Log(), backlog=backlog)
    for number in range(1, 41):
        stream.add(numbered(number))
    assert [event.number for event in await read_all(stream)] == [*range(1, 41)]
    await stream.close()
    assert backlog.size == 0


async def test_a_slow_reader_of_what_is_not_stored_is_told_behind_what_is() -> None:
    stream = subscription(Log(), backlog=Backlog(limit=5000))
    stream.add(numbered(1) + unstored(*"abcdefghijklmnopqrst"))
    events = await read_all(stream)
    assert events[0] == numbered(1)[0]
    assert orjson.loads(events[-1].data)["error"] == "SlowReader"
    assert await stream.next(0) is None


async def test_a_reader_of_ends_does_not_read_events_for_them() -> None:
    log = Log()
    stream = subscription(log, modes=frozenset({"lifecycle"}))
    stream.add(numbered(1, 2))
    stream.run_done("run", 3)
    assert [event.name for event in await read_all(stream)] == ["metadata"]
    assert log.reads == []


async def test_values_are_read_when_all_events_are_told() -> None:
    stream = subscription(Log(), modes=frozenset({"run_modes", "state_update"}))
    stream.add(numbered(1))
    stream.run_done("run", 2)
    events: list[Any] = await read_all(stream)
    assert [(event.name, event.id) for event in events[2:]] == [("state_update", "2-1")]
