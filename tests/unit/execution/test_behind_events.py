"""What a run has streamed is stored before the checkpoint that it goes on from after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

from runyard.runtime.checkpoints.saver import RunSaver
from runyard.runtime.errors import LeaseLost, Unavailable
from runyard.runtime.execution.behind_events import BehindEvents
from runyard.runtime.execution.protocol_stream import MODES
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, WriteRow
from runyard.runtime.storage.port.checkpoints import Handover
from runyard.runtime.storage.port.events import NewEvents
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.streams import publisher
from runyard.runtime.streams.publisher import Publisher

LEASE = Lease(1, "worker", 1, 1, "run", "thread")


class Log:
    """Storage that notes the order in which it is asked to write; events are stored once it is `open`."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.events = 0
        self.open = asyncio.Event()
        self.failure: Exception | None = None
        self.given: list[Handover] = []
        self.refuses: Exception | None = None

    async def write_events(self, lease: Lease, events: Sequence[NewEvents]) -> int:
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        for _ in range(sum(each.count for each in events)):
            self.events += 1
            self.order.append(f"event {self.events}")
        return self.events

    def append(self, lease: Lease | None, rows: Sequence[CheckpointRow | WriteRow]) -> Handover:
        if self.refuses is not None:
            raise self.refuses
        self.order.append("rows")
        self.given.append(Handover())
        return self.given[-1]


class Events:
    def __init__(self, log: Log) -> None:
        self.append = log.write_events


class NoBus:
    def send(self, message: Any) -> None:
        pass


class Scene:
    def __init__(self) -> None:
        self.log = Log()
        events: Any = Events(self.log)
        bus: Any = NoBus()
        self.publisher = Publisher(LEASE, bus, events, resumable=True, followed=False, lost=lambda: None)
        self.writer = BehindEvents(self.log, self.publisher)


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def turns(number: int = 20) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_rows_wait_until_the_events_before_them_are_stored(scene: Scene) -> None:
    scene.publisher.emit("values", b"1")
    append = scene.writer.append(LEASE, [])
    await turns()
    assert scene.log.order == []
    scene.log.open.set()
    await turns()
    assert scene.log.order == ["event 1", "rows"]
    assert not append.done()
    scene.log.given[0].set_result(None)
    await append


async def test_rows_wait_for_no_event_that_came_later(scene: Scene) -> None:
    scene.log.open.set()
    scene.publisher.emit("values", b"1")
    scene.writer.append(LEASE, [])
    await turns()
    scene.log.open.clear()
    scene.publisher.emit("values", b"2")
    await turns()
    assert scene.log.order == ["event 1", "rows"]


async def test_rows_that_are_taken_back_meanwhile_are_not_written(scene: Scene) -> None:
    scene.publisher.emit("values", b"1")
    append = scene.writer.append(LEASE, [])
    assert append.cancel()
    scene.log.open.set()
    await turns()
    assert scene.log.order == ["event 1"]


async def test_rows_that_have_begun_are_taken_back_where_they_are(scene: Scene) -> None:
    append = scene.writer.append(LEASE, [])
    await turns()
    assert append.cancel()
    assert scene.log.given[0].cancelled()
    assert append.cancelled()


@pytest.mark.parametrize("error", [LeaseLost("lost"), Unavailable("full")])
async def test_the_writers_errors_are_passed_on(scene: Scene, error: Exception) -> None:
    append = scene.writer.append(LEASE, [])
    await turns()
    scene.log.given[0].set_exception(error)
    with pytest.raises(type(error)):
        await append
    scene.log.refuses = Unavailable("closed")
    with pytest.raises(Unavailable):
        await scene.writer.append(LEASE, [])


async def test_rows_wait_no_longer_when_the_events_are_refused(scene: Scene) -> None:
    scene.log.failure = LeaseLost("somebody else has the run")
    scene.publisher.emit("values", b"1")
    scene.writer.append(LEASE, [])
    scene.log.open.set()
    await turns()
    assert scene.log.order == ["rows"]
    with pytest.raises(LeaseLost):
        await scene.publisher.close()


async def test_no_rows_come_behind_events_that_never_will_be_stored(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another attempt, which goes on from them, would not tell what the events told."""
    monkeypatch.setattr(publisher, "MOST_WAITING", 0)
    scene.log.failure = Unavailable("the disk is full")
    scene.publisher.emit("values", b"1")
    before = scene.writer.append(LEASE, [])
    scene.log.open.set()
    with pytest.raises(Unavailable):
        await before
    scene.publisher.emit("values", b"2")
    with pytest.raises(Unavailable):
        await scene.writer.append(LEASE, [])
    assert scene.log.order == []
    with pytest.raises(Unavailable):
        await scene.publisher.close()


async def test_a_loop_that_blocks_itself_waits_for_no_events(scene: Scene) -> None:
    scene.publisher.emit("values", b"1")

    class Written(Handover):
        def hasten(self) -> None:
            self.set_result(None)

    scene.log.append = lambda lease, rows: Written()  # type: ignore[method-assign]
    append = scene.writer.append(LEASE, [])
    append.wait()
    assert append.done()


class Counted(TypedDict):
    n: int


async def counted(state: Counted) -> Counted:
    return {"n": state["n"] + 1}


@pytest.mark.parametrize("way", ["astream", "astream_events", "protocol"])
async def test_all_events_of_a_step_come_before_its_checkpoint(scene: Scene, way: str) -> None:
    scene.log.open.set()
    graph = StateGraph(Counted)
    for name, before in [("a", START), ("b", "a"), ("c", "b")]:
        graph.add_node(name, counted)
        graph.add_edge(before, name)
    stored = InMemorySaver()

    class Saver(RunSaver):
        """Notes what is written; reads nothing."""

        async def aget_tuple(self, config: Any) -> Any:
            return await stored.aget_tuple(config)

    storage: Any = None
    written: list[tuple[str, int]] = []

    def append(lease: Lease | None, rows: Sequence[CheckpointRow | WriteRow]) -> Handover:
        written.extend((type(row).__name__, scene.log.events) for row in rows)
        done = Handover()
        done.set_result(None)
        return done

    scene.log.append = append  # type: ignore[method-assign]
    saver = Saver(storage, writer=scene.writer, lease=LEASE)
    compiled = graph.compile(checkpointer=saver)
    modes: Any = ["values", "updates", "tasks", "checkpoints"]
    config: Any = {"configurable": {"thread_id": "t"}}
    emitted: list[str] = []
    if way == "protocol":
        asked: dict[str, Any] = {"stream_mode": [*MODES], "subgraphs": True, "version": "v2"}
        async for part in compiled.astream({"n": 0}, config, **asked):
            emitted.append(part["type"])
            scene.publisher.emit(part["type"], b"1")
    elif way == "astream":
        async for mode, _ in compiled.astream({"n": 0}, config, stream_mode=modes):
            emitted.append(mode)
            scene.publisher.emit(mode, b"1")
    else:
        events = compiled.astream_events({"n": 0}, config, version="v2", stream_mode=modes)
        async for event in events:
            if event["event"] == "on_chain_stream" and not event["parent_ids"]:
                emitted.append(event["data"]["chunk"][0])
                scene.publisher.emit("x", b"1")
    await scene.publisher.close()
    await turns()
    results = [place for place, mode in enumerate(emitted, 1) if mode == "values"]
    checkpoints = [events for kind, events in written if kind == "CheckpointRow"]
    assert len(checkpoints) == len(results) + 1  # one more for the input
    for stored_events, place in zip(checkpoints[1:], results, strict=True):
        assert stored_events >= place, f"{checkpoints} {results} {emitted}"
