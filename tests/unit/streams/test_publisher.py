"""The events of a resumable run, and a storage that takes none for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from runyard.runtime.bus.messages import RunEvents
from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.port.events import NewEvents
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.streams import publisher as publishers
from runyard.runtime.streams.publisher import Publisher

LEASE = Lease(1, "worker", 1, 1, "run", "thread")


class Bus:
    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, message: Any) -> None:
        self.sent.append(message)


class FullDisk:
    """Refuses events so many times."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.refused = asyncio.Event()
        self.count = 0

    async def append(self, lease: Lease, events: Sequence[NewEvents]) -> int:
        if self.refusals:
            self.refusals -= 1
            self.refused.set()
            raise Unavailable("the disk is full")
        self.count += sum(each.count for each in events)
        return self.count

    async def last(self, run_id: str) -> int:
        return self.count


class LostAnswers(FullDisk):
    """Keeps events, and so many times does not say so."""

    async def append(self, lease: Lease, events: Sequence[NewEvents]) -> int:
        self.count += sum(each.count for each in events)
        if self.refusals:
            self.refusals -= 1
            self.refused.set()
            raise Unavailable("the database did not answer")
        return self.count


def resumable(bus: Bus, disk: FullDisk) -> Publisher:
    storage: Any = disk
    link: Any = bus
    return Publisher(LEASE, link, storage, resumable=True, followed=True, lost=lambda: None)


async def sent_around_a_refusal(publisher: Publisher, bus: Bus, disk: FullDisk) -> list[tuple[str, bytes]]:
    """What is sent of two events, the second of which comes when the first was refused."""
    publisher.emit("custom", b"1")
    await disk.refused.wait()
    publisher.emit("custom", b"2")
    await publisher.close()
    return [event for message in bus.sent if isinstance(message, RunEvents) for event in message.events]


async def test_events_that_could_not_be_stored_are_stored_later_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishers, "RETRY_PAUSE", 0.0)
    bus, disk = Bus(), FullDisk(2)
    publisher = resumable(bus, disk)
    assert await sent_around_a_refusal(publisher, bus, disk) == [("custom", b"1"), ("custom", b"2")]
    assert publisher.last == 2


async def test_events_whose_writing_was_not_answered_are_stored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishers, "RETRY_PAUSE", 0.0)
    bus, database = Bus(), LostAnswers(1)
    publisher = resumable(bus, database)
    assert await sent_around_a_refusal(publisher, bus, database) == [("custom", b"1"), ("custom", b"2")]
    assert database.count == publisher.last == 2


async def test_an_attempt_fails_whose_events_wait_in_too_large_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishers, "MOST_WAITING", 3)
    publisher = resumable(Bus(), FullDisk(1))
    publisher.emit("custom", b"long")
    with pytest.raises(Unavailable):
        await publisher.close()


class SlowDisk(FullDisk):
    """Is `writing` all the time."""

    def __init__(self) -> None:
        super().__init__(0)
        self.writing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def append(self, lease: Lease, events: Sequence[NewEvents]) -> int:
        self.writing.set_result(None)
        await asyncio.Event().wait()
        return 0


@pytest.mark.parametrize("begun", [False, True])
async def test_an_attempt_fails_that_cancels_what_stores_its_events(begun: bool) -> None:
    disk = SlowDisk()
    publisher = resumable(Bus(), disk)
    publisher.emit("custom", b"1")
    if begun:
        await disk.writing
    (storing,) = asyncio.all_tasks() - {asyncio.current_task()}
    storing.cancel()
    with pytest.raises(Unavailable, match="has cancelled what stores its events"):
        await publisher.close()
    publisher.emit("custom", b"2")
    settled = asyncio.Event()
    publisher.when_stored(settled.set)
    assert settled.is_set(), "nobody waits for what never comes"


class Batches(FullDisk):
    """Notes how many events each write has."""

    def __init__(self) -> None:
        super().__init__(0)
        self.sizes: list[int] = []

    async def append(self, lease: Lease, events: Sequence[NewEvents]) -> int:
        self.sizes.append(sum(each.count for each in events))
        return await super().append(lease, events)


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_first_event_is_written_at_once_and_those_right_after_it_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publishers, "GATHERING", 3600.0)
    bus, disk = Bus(), Batches()
    publisher = resumable(bus, disk)
    publisher.emit("custom", b"first")
    await turns()
    assert disk.sizes == [1]
    for number in range(20):
        publisher.emit("custom", b"%d" % number)
        await turns()
    assert disk.sizes == [1]
    await publisher.close()
    assert disk.sizes == [1, 20]


async def test_events_that_a_checkpoint_waits_for_are_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishers, "GATHERING", 3600.0)
    publisher = resumable(Bus(), Batches())
    stored = asyncio.Event()
    for _ in range(3):
        publisher.emit("custom", b"1")
        await turns()
        publisher.when_stored(stored.set)
        await stored.wait()
        stored.clear()
    await publisher.close()


async def test_what_is_not_stored_is_counted_for_those_who_must_notice_that_it_is_missing() -> None:
    bus, storage = Bus(), FullDisk(0)
    link: Any = bus
    kept: Any = storage
    publisher = Publisher(LEASE, link, kept, resumable=False, followed=True, lost=lambda: None, asked=True)
    for turn in (2, 3):
        for _ in range(turn):
            publisher.emit("custom", b"1")
        await publisher.close()
    publisher.follow(False)
    publisher.emit("custom", b"1")
    await publisher.close()
    said = [(message.before, len(message.events), message.first, message.asked) for message in bus.sent]
    assert said == [(0, 2, 0, True), (2, 3, 0, True)]
    assert publisher.last == 5
    publisher.follow(True)
    assert bus.sent[-1] == RunEvents("run", "thread", [], 0, 5), "who has missed some learns it"
