"""A graph that keeps secrets everywhere that a graph can: in its state, the store, its events, its questions and its
errors."""

from __future__ import annotations

import operator
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_store, get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    secret: str
    then: str
    log: Annotated[list[str], operator.add]
    seen: str


async def keep(state: State, config: RunnableConfig) -> dict[str, Any]:
    secret = state["secret"]
    get_stream_writer()({"said": secret})
    await get_store().aput(("kept", "by-graph"), config["configurable"]["run_id"], {"label": "kept", "secret": secret})
    return {"log": [secret * 20], "seen": config["configurable"].get("hint", "")}


def nested(state: State) -> dict[str, Any]:
    """A sync node that calls a graph, which reads and writes its checkpoints in the node's own thread."""
    return {"log": inner.invoke({"secret": state["secret"]})["log"]}


def decide(state: State) -> dict[str, Any]:
    if state.get("then") == "ask":
        return {"log": [interrupt({"question": state["secret"]})]}
    if state.get("then") == "fail":
        raise ValueError(f"this went wrong with {state['secret']}")
    return {}


inner = StateGraph(State).add_node("say", lambda state: {"log": [state["secret"]]}).add_edge(START, "say").compile()
keeper = (
    StateGraph(State)
    .add_node("keep", keep)
    .add_node("nested", nested)
    .add_node("decide", decide)
    .add_edge(START, "keep")
    .add_edge("keep", "nested")
    .add_edge("nested", "decide")
    .add_edge("decide", END)
)
