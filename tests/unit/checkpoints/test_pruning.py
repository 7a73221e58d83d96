"""What is left when a history is dropped, on LangGraph itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import START, StateGraph
from langgraph.types import Command, StateSnapshot
from typing_extensions import TypedDict

from runyard.runtime.checkpoints.pruning import latest_checkpoints
from runyard.runtime.checkpoints.saver import RunSaver
from runyard.runtime.graphs.registry import Graph
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.threads import NewThread
from runyard.runtime.storage.sqlite.storage import SqliteStorage

from .asking_graph import CONFIG, THREAD, graph_that_asks, on_saver, settled, stored_checkpoints


async def prune(storage: SqliteStorage, graph: Graph) -> None:
    await settled(graph)
    base, kept = await latest_checkpoints(storage.checkpoints, THREAD, RunSaver.serde)
    assert await storage.threads.keep_latest(Scope.everything(), THREAD, base, kept)


def comparable(snapshot: StateSnapshot) -> Any:
    """What a snapshot says, with its subgraphs, but for its place in the history."""
    tasks = []
    for task in snapshot.tasks:
        state = comparable(task.state) if isinstance(task.state, StateSnapshot) else task.state
        tasks.append((task.name, task.interrupts, state))
    return snapshot.values, snapshot.next, tasks


async def test_a_thread_that_has_ended_keeps_one_checkpoint(storage: SqliteStorage) -> None:
    await storage.threads.create(Scope.everything(), NewThread(thread_id=THREAD, metadata={}), "raise")
    graph = on_saver(graph_that_asks(), RunSaver(storage.checkpoints))
    for _ in range(3):
        await graph.ainvoke({"log": ["in"]}, CONFIG)
        await graph.ainvoke(Command(resume="yes"), CONFIG)
    before = await graph.aget_state(CONFIG)
    await settled(graph)
    assert len(await stored_checkpoints(storage)) > 12
    await prune(storage, graph)
    after = await graph.aget_state(CONFIG)
    assert [ns for ns, _ in await stored_checkpoints(storage)] == [""]
    assert (after.values, after.next) == (before.values, before.next)
    await graph.ainvoke({"log": ["again"]}, CONFIG)
    assert (await graph.ainvoke(Command(resume="yes"), CONFIG))["log"][: len(before.values["log"])] == before.values[
        "log"
    ]


async def test_a_thread_that_waits_within_a_subgraph_goes_on(storage: SqliteStorage) -> None:
    await storage.threads.create(Scope.everything(), NewThread(thread_id=THREAD, metadata={}), "raise")
    graph = on_saver(graph_that_asks(), RunSaver(storage.checkpoints))
    await graph.ainvoke({"log": ["in"]}, CONFIG)
    await graph.ainvoke(Command(resume="yes"), CONFIG)
    await graph.ainvoke({"log": ["in"]}, CONFIG)
    before = comparable(await graph.aget_state(CONFIG, subgraphs=True))
    await prune(storage, graph)
    assert len(await stored_checkpoints(storage)) == 2, (
        "the thread's, and that of the subgraph that waits; not that of the one before"
    )
    assert comparable(await graph.aget_state(CONFIG, subgraphs=True)) == before
    after = await graph.ainvoke(Command(resume="now"), CONFIG)
    assert after["answer"] == "now"
    assert after["log"].count("asked") >= 2


async def test_a_subgraph_that_remembers_still_does(storage: SqliteStorage) -> None:
    await storage.threads.create(Scope.everything(), NewThread(thread_id=THREAD, metadata={}), "raise")
    graph = on_saver(graph_that_asks(remembering=True), RunSaver(storage.checkpoints))
    for _ in range(2):
        await graph.ainvoke({"log": ["in"]}, CONFIG)
        await graph.ainvoke(Command(resume="yes"), CONFIG)
    await settled(graph)
    remembered = await storage.checkpoints.latest(THREAD, "child")
    await prune(storage, graph)
    assert sorted(ns for ns, _ in await stored_checkpoints(storage)) == ["", "child"]
    assert await storage.checkpoints.latest(THREAD, "child") == remembered


def joined(state: list[str], writes: Sequence[list[str]]) -> list[str]:
    return sum(writes, list(state))


class Summed(TypedDict, total=False):
    log: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=4)]


async def prune_as_langgraph_does(storage: SqliteStorage, graph: Graph) -> None:
    await settled(graph)
    await RunSaver(storage.checkpoints, admin=storage.checkpoints).aprune([THREAD])


@pytest.mark.parametrize("way", [prune, prune_as_langgraph_does], ids=["by the thread", "by the saver"])
@pytest.mark.parametrize("calls", range(1, 7))
async def test_a_value_that_is_put_together_from_its_past_stays_whole(
    storage: SqliteStorage, calls: int, way: Callable[[SqliteStorage, Graph], Awaitable[None]]
) -> None:
    async def add(state: Summed) -> Any:
        return {"log": [f"added {len(state['log'])}"]}

    await storage.threads.create(Scope.everything(), NewThread(thread_id=THREAD, metadata={}), "raise")
    graph: Any = StateGraph(Summed).add_node("add", add).add_edge(START, "add").compile()
    graph = on_saver(graph, RunSaver(storage.checkpoints))
    for number in range(calls):
        values = await graph.ainvoke({"log": [f"said {number}"]}, CONFIG)
    await settled(graph)
    before = len(await stored_checkpoints(storage))
    await way(storage, graph)
    assert len(await stored_checkpoints(storage)) < before or calls == 1, "the first call has no snapshot behind it"
    assert (await graph.aget_state(CONFIG)).values == values
    assert (await graph.ainvoke({"log": ["more"]}, CONFIG))["log"][: 2 * calls] == values["log"]


async def test_a_thread_without_checkpoints_has_none_to_keep(storage: SqliteStorage) -> None:
    assert await latest_checkpoints(storage.checkpoints, THREAD, RunSaver.serde) == ("", [])
