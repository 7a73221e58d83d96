"""A graph that remembers what it is told, and recalls what is near to a question."""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.config import get_store
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime


class State(TypedDict, total=False):
    user: str
    tell: dict[str, str]
    ask: str
    recalled: list[str]
    recalled_sync: list[str]


async def remember(state: State, runtime: Runtime[Any]) -> State:
    assert runtime.store is not None
    for key, text in state.get("tell", {}).items():
        await runtime.store.aput((state["user"],), key, {"text": text, "key": key})
    found = await runtime.store.asearch((state["user"],), query=state["ask"], limit=2)
    return {"recalled": [item.key for item in found]}


def recall(state: State) -> State:
    found = get_store().search((state["user"],), query=state["ask"], limit=2)
    return {"recalled_sync": [item.key for item in found]}


builder = StateGraph(State)
builder.add_node("remember", remember)
builder.add_node("recall", recall)
builder.add_edge(START, "remember")
builder.add_edge("remember", "recall")
builder.add_edge("recall", END)
graph = builder.compile()
