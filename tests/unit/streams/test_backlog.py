"""What waits for readers is bounded, and an event of any size passes."""

from __future__ import annotations

from runyard.runtime.streams.backlog import BATCH, EVENT_OVERHEAD, Backlog, Buffer
from runyard.runtime.streams.events import Event


def event(size: int, name: str = "custom") -> Event:
    """Of so many bytes, all counted."""
    return Event(name, b"x" * (size - EVENT_OVERHEAD))


class Reader:
    """A buffer, and what was dropped from it."""

    def __init__(self, backlog: Backlog, *, limit: int = 2000) -> None:
        self.dropped: list[Event] = []
        self.buffer = Buffer(backlog, self.dropped.extend, limit=limit)


def test_the_first_event_has_any_size_and_what_waits_behind_it_is_bounded() -> None:
    reader = Reader(Backlog())
    reader.buffer.put(event(50_000))
    reader.buffer.put(event(1000))
    reader.buffer.put(event(1000))
    assert not reader.dropped
    reader.buffer.put(event(500))
    assert len(reader.dropped) == 4
    assert not reader.buffer


def test_events_are_handed_out_in_order_in_batches() -> None:
    backlog = Backlog()
    reader = Reader(backlog, limit=10 * BATCH)
    events = [event(BATCH // 3, str(number)) for number in range(7)]
    for each in events:
        reader.buffer.put(each)
    taken = [reader.buffer.take() for _ in range(3)]
    assert [len(batch) for batch in taken] == [3, 3, 1]
    assert [each for batch in taken for each in batch] == events
    assert reader.buffer.take() == []
    assert backlog.size == 0


def test_what_is_on_its_way_to_a_reader_counts_until_it_asks_for_more() -> None:
    backlog = Backlog()
    reader = Reader(backlog)
    reader.buffer.put(event(1500))
    reader.buffer.take()
    assert backlog.size == 1500
    reader.buffer.close()
    assert backlog.size == 0


def test_beyond_the_total_the_reader_loses_who_has_left_its_events_the_longest() -> None:
    backlog = Backlog(limit=4000)
    slow, quick, new = (Reader(backlog) for _ in range(3))
    for reader in (quick, slow):
        reader.buffer.put(event(1000))
    quick.buffer.take()
    quick.buffer.put(event(1000))
    assert backlog.size == 3000
    new.buffer.put(event(2000))
    assert len(slow.dropped) == 1
    assert not quick.dropped
    assert not new.dropped
    assert backlog.size <= 4000


def test_one_event_larger_than_the_total_passes() -> None:
    backlog = Backlog(limit=4000)
    slow, reader = Reader(backlog), Reader(backlog)
    slow.buffer.put(event(1000))
    reader.buffer.put(event(9000))
    assert len(slow.dropped) == 1
    assert len(reader.buffer.take()) == 1
