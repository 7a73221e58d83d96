"""Who subscribes to the thread event protocol gets what its filters want, each once, from the log and from workers."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from runyard.runtime.streams.backlog import Backlog
from runyard.runtime.streams.events import Event, stored_event
from runyard.runtime.streams.protocol_events import EventFilter, event_name, event_params, seq_of
from runyard.runtime.streams.protocol_subscription import ProtocolSubscription

CHANNELS = ("values", "messages", "lifecycle")
VALUES, MESSAGES, LIFECYCLE = (EventFilter(frozenset({channel})) for channel in CHANNELS)
ALL = EventFilter(frozenset(CHANNELS))


def event(number: int) -> Event:
    """Channels take turns: number 1 is of messages, 2 of lifecycle, 3 of values."""
    return stored_event(number, event_name(CHANNELS[number % 3]), event_params((), 0, b"%d" % number))


class Log:
    """The log of a thread, two events a page."""

    def __init__(self) -> None:
        self.reads: list[tuple[int, int]] = []

    async def __call__(self, after: int, upto: int) -> AsyncIterator[list[Event]]:
        self.reads.append((after, upto))
        for first in range(after + 1, upto + 1, 2):
            yield [event(number) for number in range(first, min(first + 1, upto) + 1)]


def subscription(
    *filters: EventFilter, last: int = 0, log: Log | None = None, backlog: Backlog | None = None
) -> ProtocolSubscription:
    return ProtocolSubscription("thread", lambda _: None, log or Log(), backlog or Backlog(), filters, last=last)


async def numbers(stream: ProtocolSubscription) -> list[int]:
    """Those of the events at hand."""
    found: list[int] = []
    while batch := await stream.next(0):
        found += (each.number for each in batch)
    return found


async def test_what_is_in_the_log_comes_first_and_then_what_happens() -> None:
    stream = subscription(ALL, last=3)
    stream.add([event(4), event(5)])
    assert await numbers(stream) == [1, 2, 3, 4, 5]


async def test_only_what_is_wanted_comes() -> None:
    stream = subscription(VALUES, LIFECYCLE, last=6)
    stream.add([event(7), event(8), event(9)])
    assert await numbers(stream) == [2, 3, 5, 6, 8, 9]


@pytest.mark.parametrize(("since", "expected"), [(0, [1, 2, 3, 4]), (200, [3, 4]), (250, [3, 4]), (400, [])])
async def test_a_subscription_begins_behind_a_number(since: int, expected: list[int]) -> None:
    stream = subscription(EventFilter(ALL.channels, since=since), last=4)
    assert await numbers(stream) == expected


async def test_events_that_happen_are_not_read_from_the_log() -> None:
    log = Log()
    stream = subscription(MESSAGES, log=log)
    for number in range(1, 8):
        stream.add([event(number)])
        await stream.next(0)
    assert log.reads == []


async def test_the_end_of_a_run_is_read_and_nothing_that_has_passed() -> None:
    log = Log()
    stream = subscription(VALUES, log=log)
    stream.add([event(number) for number in range(1, 9)])
    assert await numbers(stream) == [3, 6]
    stream.run_done("run", 9)
    assert await numbers(stream) == [9]
    assert log.reads == [(8, 9)]


async def test_a_new_filter_is_given_what_came_before_but_nothing_twice() -> None:
    stream = subscription(VALUES, last=6)
    assert await numbers(stream) == [3, 6]
    stream.add([event(7), event(8), event(9)])
    stream.change([VALUES, EventFilter(frozenset({"values", "messages"}))])
    stream.add([event(10), event(11), event(12)])
    assert sorted(await numbers(stream)) == [1, 4, 7, 9, 10, 12]


async def test_a_new_filter_is_given_nothing_from_before_its_number() -> None:
    stream = subscription(VALUES, last=6)
    await numbers(stream)
    stream.change([VALUES, EventFilter(MESSAGES.channels, since=350)])
    assert await numbers(stream) == [4]


async def test_a_filter_that_comes_back_is_given_what_it_has_missed() -> None:
    stream = subscription(VALUES)
    stream.add([event(number) for number in range(1, 4)])
    assert await numbers(stream) == [3]
    stream.change([LIFECYCLE])
    stream.add([event(number) for number in range(4, 8)])
    assert await numbers(stream) == [2, 5]
    stream.change([VALUES])
    stream.add([event(number) for number in range(8, 10)])
    assert await numbers(stream) == [6, 9]


async def test_what_had_to_be_dropped_is_read_again() -> None:
    stream = subscription(ALL, backlog=Backlog(limit=1))
    for number in range(1, 30):
        stream.add([event(number)])
    assert await numbers(stream) == [*range(1, 30)]


async def test_whatever_happens_everything_that_is_wanted_comes_once() -> None:
    """The filters change, events are lost on their way, the buffer overflows, the reader is slow."""
    for seed in range(200):
        chance = random.Random(seed)
        last = chance.randrange(5)
        stream = subscription(VALUES, last=last, backlog=Backlog(limit=chance.choice([1, 1000, 10**6])))
        asked: list[EventFilter] = [VALUES]
        ever = {VALUES}
        found: list[int] = []
        for number in range(last + 1, last + 40):
            if chance.random() < 0.2:
                asked = chance.sample([VALUES, MESSAGES, LIFECYCLE], chance.randrange(1, 4))
                ever |= {*asked}
                stream.change(asked)
            if chance.random() < 0.8:
                stream.add([event(number)])
            else:
                stream.stored(number)
            if chance.random() < 0.3:
                found += [each.number for each in await stream.next(0) or ()]
        stream.change([VALUES, MESSAGES, LIFECYCLE])
        found += await numbers(stream)
        assert sorted(found) == [*range(1, last + 40)], seed


async def test_a_number_in_the_middle_of_an_entry_is_gone_on_behind() -> None:
    entries = [Event(event_name("values"), b"", str(seq), seq // 100) for seq in (100, 101, 102)]

    async def log(after: int, upto: int) -> AsyncIterator[list[Event]]:
        yield [each for each in entries if after < each.number <= upto]

    asks = EventFilter(frozenset({"values"}), since=101)
    stream = ProtocolSubscription("thread", lambda _: None, log, Backlog(), [asks], last=1)
    assert [seq_of(each) for each in await stream.next(0) or ()] == [102]
