"""Graphs that talk: one model, and a model inside a subgraph."""

from __future__ import annotations

import operator
from typing import Annotated, Any

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt
from scripted_model import ScriptedModel
from typing_extensions import TypedDict


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


async def answer(state: Chat) -> Any:
    return {"messages": [await ScriptedModel().ainvoke(state["messages"])]}


# Not compiled: the server does that.
echo = StateGraph(Chat).add_node("model", answer).add_edge(START, "model").add_edge("model", END)


async def spend(state: Chat) -> Any:
    usage: Any = {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4, "input_token_details": {"cache_read": 2}}
    return {"messages": [AIMessage("done", usage_metadata=usage)]}


# As with a model that says what it has used.
spending = StateGraph(Chat).add_node("spend", spend).add_edge(START, "spend").compile()


class Inner(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    ask: bool
    answer: Any


class Outer(Inner, total=False):
    log: Annotated[list[str], operator.add]


async def think(state: Inner) -> Any:
    model = ScriptedModel(prefix="child:", speaker="child")
    return {"messages": [await model.ainvoke(state["messages"])]}


async def confirm(state: Inner) -> Any:
    return {"answer": interrupt({"confirm": "proceed?"}) if state.get("ask") else "not asked"}


child = (
    StateGraph(Inner)
    .add_node("think", think)
    .add_node("confirm", confirm)
    .add_edge(START, "think")
    .add_edge("think", "confirm")
    .compile()
)


async def before(state: Outer) -> Any:
    return {"log": ["before"]}


async def after(state: Outer) -> Any:
    return {"log": ["after"]}


subgraphed = (
    StateGraph(Outer)
    .add_node("before", before)
    .add_node("child", child)
    .add_node("after", after)
    .add_edge(START, "before")
    .add_edge("before", "child")
    .add_edge("child", "after")
    .compile()
)
