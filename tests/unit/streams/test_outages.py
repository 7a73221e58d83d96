"""Streams that are under way are silent while the database is away, and go on when it is back."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import ormsgpack
import pytest

from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.workers import Workers
from runyard.runtime.errors import StorageUnavailable
from runyard.runtime.scope import Scope
from runyard.runtime.services.batch_results import ResultLines
from runyard.runtime.storage.port.events import EventChunk
from runyard.runtime.storage.port.results import ItemResult, ResultsState
from runyard.runtime.streams import outages
from runyard.runtime.streams.broker import Broker
from runyard.runtime.streams.events import Event
from runyard.runtime.streams.outages import looking
from runyard.runtime.streams.scoped import ScopedStream
from runyard.runtime.telemetry.metrics import Metrics

THREAD, RUN = "a thread", "a run"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "PAUSE", 0.0)


def away() -> StorageUnavailable:
    error = StorageUnavailable("the database cannot be reached")
    error.retry_after = 2
    return error


class Flaky:
    """Whatever is asked of it fails the first time, and whenever `broken` is set."""

    def __init__(self, **answers: Callable[..., Any]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def ask(*arguments: Any, **named: Any) -> Any:
            self.asked.append(name)
            if self.asked.count(name) % 2:
                raise away()
            return self._answers[name](*arguments, **named)

        return ask


def chunk(first: int, *data: bytes) -> EventChunk:
    packed = ormsgpack.packb([("custom", each) for each in data])
    return EventChunk(first, first + len(data) - 1, packed)


def page_of_thread(thread_id: str, after: int, upto: int, *, size: int) -> list[EventChunk]:
    return [chunk(after + 1, b"%d" % (after + 1))] if after < upto else []


@pytest.fixture
async def streams() -> AsyncIterator[tuple[Broker, Flaky]]:
    events = Flaky(read_thread=page_of_thread, read=lambda run_id, after, size: [chunk(1, b"1")] if not after else [])
    # What is asked before a reader is answered fails at once.
    steady = SimpleNamespace(read_thread=events.read_thread, read=events.read)

    async def last(_: str) -> int:
        return 3

    steady.last_of_thread = steady.last = last
    storage: Any = SimpleNamespace(events=steady, threads=SimpleNamespace(values=last), runs=None)
    bus = LinkedBus()
    broker = Broker(storage, bus, Workers(bus, lambda: None), Metrics())
    yield broker, events
    await broker.stop()


async def test_the_stream_of_a_thread_loses_nothing_of_its_log(streams: tuple[Broker, Flaky]) -> None:
    broker, storage = streams
    stream = await broker.subscribe_thread(THREAD, frozenset(("run_modes",)), "-1")
    told: list[Event] = []
    while events := await stream.next(0):
        told += events
    await stream.close()
    assert [event.data for event in told] == [b"1", b"2", b"3"]
    assert storage.asked.count("read_thread") == 8


async def test_the_stream_of_a_run_goes_on(streams: tuple[Broker, Flaky]) -> None:
    broker, storage = streams
    stream = await broker.subscribe(RUN, resumable=True, after="-1", view=None)
    events = await stream.next(0)
    await stream.close()
    assert events is not None
    assert [event.data for event in events] == [b"1"]
    assert storage.asked.count("read") == 2


async def test_the_results_of_a_batch_that_are_followed_go_on() -> None:
    result = ItemResult(
        index=0,
        run_id=RUN,
        custom_id=None,
        status="success",
        attempts=1,
        tries=1,
        retry_of=None,
        answer=b'{"n":1}',
        end=1,
    )
    state = ResultsState(ends=1, complete=True, erased=False)
    storage: Any = Flaky(
        by_index=lambda *_, **__: [],
        by_end=lambda scope, batch_id, after, **_: [] if after else [result],
        state=lambda *_: state,
    )
    none_yet = ResultsState(ends=0, complete=False, erased=False)
    lines = ResultLines(storage, Scope.everything(), "a batch", none_yet, after=-1, statuses=(), follow=True)
    first = await lines.next(5)
    assert first is not None
    assert b'"values":{"n":1}' in first
    assert await lines.next(5) is None


async def test_whether_a_reader_may_go_on_is_found_out_when_it_can_be() -> None:
    class Stream:
        async def next(self, timeout: float) -> list[Event] | None:
            return [Event("values", b"1")]

        async def close(self) -> None:
            """There is nothing to close."""

    decisions: Any = Flaky(in_reach=lambda: True)
    assert await ScopedStream(Stream(), decisions.in_reach).next(1) == [Event("values", b"1")]


async def test_storage_that_is_closed_is_not_waited_for() -> None:
    async def closed() -> None:
        raise StorageUnavailable("storage is closed")

    with pytest.raises(StorageUnavailable):
        await outages.outlasting(closed)


async def test_looking_again_and_again_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(error: Exception) -> None:
        raise error

    with caplog.at_level(logging.INFO):
        await looking(fail(away()), "followed runs")
        assert caplog.records == []
        await looking(fail(OSError("the disk is away")), "followed runs")
    assert "followed runs could not be looked at; they are at the next interval" in caplog.text
    assert "the disk is away" in caplog.text
