"""The streams of threads say what they miss of runs whose events are not stored."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.workers import Workers
from runyard.runtime.streams.backlog import Backlog
from runyard.runtime.streams.events import Event
from runyard.runtime.streams.thread_streams import ThreadStreams


async def nothing(*_: Any, **__: Any) -> Any:
    return 0


async def test_a_gap_in_what_is_not_stored_is_told_once_and_a_late_beginning_is_none() -> None:
    found = SimpleNamespace(ends=[], upto=0)

    async def ends(*_: Any, **__: Any) -> Any:
        return found

    storage: Any = SimpleNamespace(
        events=SimpleNamespace(last_of_thread=nothing, ends=ends),
        threads=SimpleNamespace(graph_ids=nothing, values=nothing),
    )
    bus = LinkedBus()
    streams = ThreadStreams(storage, bus, Workers(bus, lambda: None), Backlog())
    stream = await streams.subscribe("thread", frozenset(["run_modes"]), None)
    event = Event("custom", b"1")
    streams.publish("early", "thread", [event], 7)
    streams.publish("early", "thread", [event], 8)
    streams.publish("run", "thread", [event], 0)
    streams.publish("run", "thread", [event], 2)
    streams.publish("elsewhere", "other thread", [event], 0)
    streams.run_ended("early", "thread", 10)
    seen = [each.name for each in await stream.next(0) or ()]
    assert seen == ["custom", "custom", "custom", "error", "custom", "error"]
    await asyncio.sleep(0)  # what was begun begins
    await streams.stop()
