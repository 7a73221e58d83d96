"""What a saver holds until it is durable."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import START, StateGraph

from runyard.runtime.checkpoints import saved_checkpoints
from runyard.runtime.checkpoints import unwritten as held
from runyard.runtime.checkpoints.saver import RunSaver
from runyard.runtime.checkpoints.unwritten import Row, UnwrittenRows
from runyard.runtime.errors import LeaseLost, Unavailable
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow
from runyard.runtime.storage.port.checkpoints import Handover
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.sqlite.storage import SqliteStorage

from .asking_graph import CONFIG, State, on_saver, work


def row(name: str) -> CheckpointRow:
    return CheckpointRow("t", "", name, None, None, "msgpack", b"data", b"{}", [])


class Appends:
    """A writer whose appends are over when the test says so."""

    def __init__(self) -> None:
        self.made: list[tuple[list[str], Handover]] = []

    def append(self, lease: Lease | None, rows: Sequence[Row]) -> Handover:
        self.made.append(([item.checkpoint_id for item in rows], Handover()))
        return self.made[-1][1]

    @property
    def names(self) -> list[list[str]]:
        return [names for names, _ in self.made]


@pytest.fixture
def appends() -> Appends:
    return Appends()


@pytest.fixture
def rows(appends: Appends) -> UnwrittenRows:
    return UnwrittenRows(appends, None)


def test_one_append_is_under_way_and_the_next_takes_what_has_gathered(appends: Appends, rows: UnwrittenRows) -> None:
    for name in "abc":
        rows.add([row(name)])
    assert appends.names == [["a"]]
    appends.made[0][1].set_result(None)
    assert appends.names == [["a"], ["b", "c"]]
    appends.made[1][1].set_result(None)
    rows.add([row("d")])
    assert appends.names == [["a"], ["b", "c"], ["d"]]


def test_the_end_takes_all_that_is_not_known_to_be_durable(appends: Appends, rows: UnwrittenRows) -> None:
    for name in "abc":
        rows.add([row(name)])
    appends.made[0][1].set_result(None)
    rows.add([row("d")])
    assert [item.checkpoint_id for item in rows.take()] == ["b", "c", "d"]
    assert appends.made[1][1].cancelled()
    rows.add([row("late")])
    rows.settle_blocking()
    assert appends.names == [["a"], ["b", "c"]]


def test_the_end_does_not_wait_for_what_is_being_written(appends: Appends, rows: UnwrittenRows) -> None:
    rows.add([row("a")])
    (_, append) = appends.made[0]
    append.set_running_or_notify_cancel()
    assert [item.checkpoint_id for item in rows.take()] == ["a"]
    append.set_exception(LeaseLost("it has ended"))
    rows.settle_blocking()


@pytest.mark.parametrize("error", [LeaseLost("lost"), Unavailable("full")])
async def test_what_could_not_be_written_is_told_whenever_it_matters(
    appends: Appends, rows: UnwrittenRows, error: Exception
) -> None:
    for name in "ab":
        rows.add([row(name)])
    appends.made[0][1].set_exception(error)
    rows.add([row("c")])
    assert appends.names == [["a"]], "what comes after a gap is worth nothing"
    with pytest.raises(type(error)):
        await rows.settle()
    with pytest.raises(type(error)):
        rows.settle_blocking()
    with pytest.raises(type(error)):
        rows.take()


async def test_who_is_cancelled_while_it_waits_does_not_cancel_the_writing(
    appends: Appends, rows: UnwrittenRows
) -> None:
    for name in "ab":
        rows.add([row(name)])
    waiting = asyncio.create_task(rows.settle())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    appends.made[0][1].set_result(None)
    assert appends.names == [["a"], ["b"]]
    appends.made[1][1].set_result(None)
    await rows.settle()


def config(checkpoint_id: str | None = None) -> RunnableConfig:
    chosen = {} if checkpoint_id is None else {"checkpoint_id": checkpoint_id}
    return {"configurable": {"thread_id": str(uuid.UUID(int=1)), "checkpoint_ns": "", **chosen}}


async def test_a_saver_that_holds_too_much_waits(storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "MOST_HELD", 1000)
    saver = RunSaver(storage.checkpoints)
    checkpoint = empty_checkpoint()
    await saver.aput(config(), checkpoint, {}, {})
    await saver.aput_writes(config(checkpoint["id"]), [("log", "x" * 2000)], "task")
    found = await storage.checkpoints.latest(str(uuid.UUID(int=1)), "")
    assert found is not None
    assert len(found.writes) == 1


async def test_a_saver_reads_page_by_page(storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_checkpoints, "PAGE", 3)
    saver = RunSaver(storage.checkpoints)
    ids: list[str] = []
    for _ in range(8):
        checkpoint = empty_checkpoint()
        ids.insert(0, checkpoint["id"])
        await saver.aput(config(), checkpoint, {}, {})
    for limit in (None, 0, 2, 3, 4, 6, 7, 8, 9):
        assert [item.checkpoint["id"] async for item in saver.alist(config(), limit=limit)] == ids[:limit]
        assert [item.checkpoint["id"] for item in saver.list(config(), limit=limit)] == ids[:limit]
    before = config(ids[1])
    assert [item.checkpoint["id"] async for item in saver.alist(config(), before=before, limit=4)] == ids[2:6]


async def test_a_node_may_block_its_event_loop_with_a_graph_that_saves(storage: SqliteStorage) -> None:
    child: Any = StateGraph(State).add_node("inner", lambda state: {"count": 7}).add_edge(START, "inner")
    child = child.compile(checkpointer=True)

    async def call_in_its_loop(state: State) -> Any:
        return {"count": child.invoke({"count": 1})["count"]}

    async def call_in_a_pool_thread(state: State) -> Any:
        return {"answer": str((await asyncio.to_thread(child.invoke, {"count": 2}))["count"])}

    graph: Any = (
        StateGraph(State)
        .add_node("work", work)
        .add_node("loop", call_in_its_loop)
        .add_node("pool", call_in_a_pool_thread)
        .add_edge(START, "work")
        .add_edge("work", "loop")
        .add_edge("loop", "pool")
        .compile()
    )
    for sync in (False, True):
        values = await asyncio.wait_for(
            on_saver(graph, RunSaver(storage.checkpoints, sync=sync)).ainvoke({"log": ["in"]}, CONFIG), 10
        )
        assert (values["count"], values["answer"]) == (7, "7")


async def test_a_saver_looks_for_nothing_on_a_fresh_thread_until_it_has_saved_something(storage: SqliteStorage) -> None:
    config: RunnableConfig = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    checkpoint = empty_checkpoint()
    before = RunSaver(storage.checkpoints)
    await before.aput(config, checkpoint, {}, {})
    await before.settle()
    saver = RunSaver(storage.checkpoints, fresh="t")
    assert await saver.aget_tuple(config) is None
    assert await RunSaver(storage.checkpoints, fresh="another").aget_tuple(config) is not None
    later = empty_checkpoint()
    await saver.aput(config, later, {}, {})
    found = await saver.aget_tuple(config)
    assert found is not None
    assert found.checkpoint["id"] == max(checkpoint["id"], later["id"])
