"""The graph of the project that works."""

from __future__ import annotations

from typing import Any

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    done: bool


def node(state: State) -> Any:
    return {"done": True}


graph = StateGraph(State).add_node("node", node).add_edge(START, "node").compile()
