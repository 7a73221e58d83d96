"""The streams of threads say what they miss of runs whose events are not stored, and each end once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.workers import Workers
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from runyard.runtime.streams.backlog import Backlog
from runyard.runtime.streams.events import Event
from runyard.runtime.streams.thread_streams import ThreadStreams
from tests.storage.builders import claim, finish_request, insert, stateless


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


async def told_ends(storage: Storage, *, temporary: bool) -> list[str]:
    """What is told of a run that ended just before its thread was followed, and whose worker says so behind that."""
    new_run = await insert(storage, stateless(temporary=temporary))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.queue.finish(finish_request(lease, temporary=temporary))
    bus = LinkedBus()
    streams = ThreadStreams(storage, bus, Workers(bus, lambda: None), Backlog())
    stream = await streams.subscribe(new_run.thread_id, frozenset(["run_modes"]), "-1")
    streams.run_ended(new_run.run_id, new_run.thread_id, 0)
    told = asyncio.all_tasks() - {asyncio.current_task()}
    seen: list[str] = []
    while events := await stream.next(0):
        seen += [event.name for event in events]
    await asyncio.gather(*told)
    while events := await stream.next(0):
        seen += [event.name for event in events]
    await streams.stop()
    return seen


async def test_an_end_that_the_log_has_when_it_is_followed_is_told_once(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    try:
        assert await told_ends(storage, temporary=False) == ["metadata"]
        assert await told_ends(storage, temporary=True) == ["metadata"]
    finally:
        storage.close()
