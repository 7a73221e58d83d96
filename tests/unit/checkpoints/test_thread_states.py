"""Edits of states and what is left when a history is dropped, on LangGraph itself."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import START, StateGraph
from langgraph.types import Command, StateSnapshot, interrupt
from typing_extensions import TypedDict

from runyard.runtime.checkpoints.pruning import latest_checkpoints
from runyard.runtime.checkpoints.saver import RunSaver
from runyard.runtime.checkpoints.staging import StagedCheckpoints
from runyard.runtime.graphs.registry import Graph
from runyard.runtime.storage.port.threads import NewThread
from runyard.runtime.storage.sqlite.storage import SqliteStorage

THREAD = "11111111-1111-4111-8111-111111111111"
CONFIG: RunnableConfig = {"configurable": {"thread_id": THREAD, "checkpoint_ns": ""}}


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    answer: str
    count: int


async def work(state: State) -> Any:
    return {"log": ["worked " * 50], "count": len(state.get("log") or [])}


async def ask(state: State) -> Any:
    return {"answer": interrupt("?"), "log": ["asked"]}


def parent(*, remembering: bool = False) -> Graph:
    """A graph whose subgraph asks; `remembering`: the subgraph has one history for all its calls."""
    child = (
        StateGraph(State).add_node("inner", work).add_node("ask", ask).add_edge(START, "inner").add_edge("inner", "ask")
    )
    graph = StateGraph(State).add_node("work", work).add_node("child", child.compile(checkpointer=remembering or None))
    return graph.add_edge(START, "work").add_edge("work", "child").compile()


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqliteStorage]:
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    yield storage
    storage.close()


def bound(graph: Graph, saver: RunSaver) -> Graph:
    return graph.copy({"checkpointer": saver})


async def drop_history(storage: SqliteStorage) -> None:
    await storage.checkpoints.flush(None)
    saver = RunSaver(storage.checkpoints)
    base, kept = latest_checkpoints(saver, THREAD, storage.checkpoints.namespaces(THREAD))
    assert await storage.threads.keep_latest(THREAD, base, kept)


def rows(storage: SqliteStorage) -> list[tuple[str, str]]:
    return [(row.ns, row.checkpoint_id) for row in storage.checkpoints.history(THREAD, None, before=None, limit=None)]


def shown(snapshot: StateSnapshot) -> Any:
    tasks = [(task.name, task.interrupts, task.state and shown(task.state)) for task in snapshot.tasks]  # type: ignore[arg-type]
    return snapshot.values, snapshot.next, tasks


async def test_an_edit_reads_its_own_writes_and_leaves_storage_alone(storage: SqliteStorage) -> None:
    graph = parent()
    await bound(graph, RunSaver(storage.checkpoints)).ainvoke({"log": ["in"]}, CONFIG)
    await storage.checkpoints.flush(None)
    before = rows(storage)

    edits = StagedCheckpoints(storage.checkpoints)
    editing = bound(graph, RunSaver(edits))
    for number in range(3):
        await editing.aupdate_state(CONFIG, {"log": [f"edit {number}"], "count": number}, as_node="work")
    edited = await editing.aget_state(CONFIG)
    assert edited.values["log"][-3:] == ["edit 0", "edit 1", "edit 2"]
    assert edited.values["count"] == 2
    history = [item async for item in editing.aget_state_history(CONFIG, limit=4)]
    assert [item.values.get("count") for item in history] == [2, 1, 0, 1]
    assert await editing.aget_state(history[1].config) == history[1]
    assert rows(storage) == before

    storage.checkpoints.post(None, edits.rows)
    await storage.checkpoints.flush(None)
    stored = await bound(graph, RunSaver(storage.checkpoints)).aget_state(CONFIG)
    assert (stored.values, stored.next, stored.config) == (edited.values, edited.next, edited.config)


async def test_a_subgraph_can_be_edited_by_its_namespace(storage: SqliteStorage) -> None:
    graph = parent()
    await bound(graph, RunSaver(storage.checkpoints)).ainvoke({"log": ["in"]}, CONFIG)
    await storage.checkpoints.flush(None)
    edits = StagedCheckpoints(storage.checkpoints)
    editing = bound(graph, RunSaver(edits))
    (task,) = (await editing.aget_state(CONFIG)).tasks
    assert isinstance(task.state, dict)
    await editing.aupdate_state(task.state, {"answer": "by hand"}, as_node="ask")
    inner = await editing.aget_state(task.state)
    assert (inner.values["answer"], inner.next) == ("by hand", ())
    assert "answer" not in (await editing.aget_state(CONFIG)).values


async def test_a_thread_that_has_ended_keeps_one_checkpoint(storage: SqliteStorage) -> None:
    await storage.threads.create(NewThread(thread_id=THREAD, metadata={}), "raise")
    graph = bound(parent(), RunSaver(storage.checkpoints))
    for _ in range(3):
        await graph.ainvoke({"log": ["in"]}, CONFIG)
        await graph.ainvoke(Command(resume="yes"), CONFIG)
    before = await graph.aget_state(CONFIG)
    assert len(rows(storage)) > 12
    await drop_history(storage)
    after = await graph.aget_state(CONFIG)
    assert [ns for ns, _ in rows(storage)] == [""]
    assert (after.values, after.next) == (before.values, before.next)
    await graph.ainvoke({"log": ["again"]}, CONFIG)
    assert (await graph.ainvoke(Command(resume="yes"), CONFIG))["log"][: len(before.values["log"])] == before.values[
        "log"
    ]


async def test_a_thread_that_waits_within_a_subgraph_goes_on(storage: SqliteStorage) -> None:
    await storage.threads.create(NewThread(thread_id=THREAD, metadata={}), "raise")
    graph = bound(parent(), RunSaver(storage.checkpoints))
    await graph.ainvoke({"log": ["in"]}, CONFIG)
    await graph.ainvoke(Command(resume="yes"), CONFIG)
    await graph.ainvoke({"log": ["in"]}, CONFIG)
    before = shown(await graph.aget_state(CONFIG, subgraphs=True))
    await drop_history(storage)
    assert len(rows(storage)) == 2, "the thread's, and that of the subgraph that waits; not that of the one before"
    assert shown(await graph.aget_state(CONFIG, subgraphs=True)) == before
    after = await graph.ainvoke(Command(resume="now"), CONFIG)
    assert after["answer"] == "now"
    assert after["log"].count("asked") >= 2


async def test_a_subgraph_that_remembers_still_does(storage: SqliteStorage) -> None:
    await storage.threads.create(NewThread(thread_id=THREAD, metadata={}), "raise")
    graph = bound(parent(remembering=True), RunSaver(storage.checkpoints))
    for _ in range(2):
        await graph.ainvoke({"log": ["in"]}, CONFIG)
        await graph.ainvoke(Command(resume="yes"), CONFIG)
    await storage.checkpoints.flush(None)
    remembered = storage.checkpoints.latest(THREAD, "child")
    await drop_history(storage)
    assert sorted(ns for ns, _ in rows(storage)) == ["", "child"]
    assert storage.checkpoints.latest(THREAD, "child") == remembered


def joined(state: list[str], writes: Sequence[list[str]]) -> list[str]:
    return sum(writes, list(state))


class Summed(TypedDict, total=False):
    log: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=4)]


@pytest.mark.parametrize("calls", range(1, 7))
async def test_a_value_that_is_put_together_from_its_past_stays_whole(storage: SqliteStorage, calls: int) -> None:
    async def add(state: Summed) -> Any:
        return {"log": [f"added {len(state['log'])}"]}

    await storage.threads.create(NewThread(thread_id=THREAD, metadata={}), "raise")
    graph: Any = StateGraph(Summed).add_node("add", add).add_edge(START, "add").compile()
    graph = bound(graph, RunSaver(storage.checkpoints))
    for number in range(calls):
        values = await graph.ainvoke({"log": [f"said {number}"]}, CONFIG)
    before = len(rows(storage))
    await drop_history(storage)
    assert len(rows(storage)) < before or calls == 1, "the first call has no snapshot behind it"
    assert (await graph.aget_state(CONFIG)).values == values
    assert (await graph.ainvoke({"log": ["more"]}, CONFIG))["log"][: 2 * calls] == values["log"]


async def test_a_thread_without_checkpoints_has_none_to_keep(storage: SqliteStorage) -> None:
    assert latest_checkpoints(RunSaver(storage.checkpoints), THREAD, []) == ("", [])
