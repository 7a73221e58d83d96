"""A graph whose subgraph asks, and its checkpoints in a database."""

from __future__ import annotations

import operator
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

from runyard.runtime.checkpoints.saver import RunSaver
from runyard.runtime.graphs.registry import Graph
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


def graph_that_asks(*, remembering: bool = False) -> Graph:
    """A graph whose subgraph asks; `remembering`: the subgraph has one history for all its calls."""
    child = (
        StateGraph(State).add_node("inner", work).add_node("ask", ask).add_edge(START, "inner").add_edge("inner", "ask")
    )
    graph = StateGraph(State).add_node("work", work).add_node("child", child.compile(checkpointer=remembering or None))
    return graph.add_edge(START, "work").add_edge("work", "child").compile()


def on_saver(graph: Graph, saver: RunSaver) -> Graph:
    """The graph with that saver."""
    return graph.copy({"checkpointer": saver})


async def settled(graph: Graph) -> None:
    """Returns when all that the graph's saver was given is stored."""
    assert isinstance(graph.checkpointer, RunSaver)
    await graph.checkpointer.settle()


async def stored_checkpoints(storage: SqliteStorage) -> list[tuple[str, str]]:
    """Namespace and id of each checkpoint of the thread."""
    return [
        (row.ns, row.checkpoint_id) for row in await storage.checkpoints.history(THREAD, None, before=None, limit=None)
    ]
