"""Graphs of all shapes, to compare a server with plain LangGraph."""

from __future__ import annotations

import operator
from typing import Annotated, Any

from langchain_core.messages import AnyMessage, HumanMessage
from langgraph.config import get_stream_writer
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph, add_messages
from langgraph.types import Command, Send, interrupt
from scripted_model import ScriptedModel
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    n: int
    items: list[int]
    log: Annotated[list[str], operator.add]
    messages: Annotated[list[AnyMessage], add_messages]


async def count(state: State) -> Any:
    get_stream_writer()({"n": state.get("n", 0)})
    return {"n": state.get("n", 0) + 1, "log": ["count"]}


def again(state: State) -> str:
    return "count" if state["n"] < 3 else "__end__"


looping = StateGraph(State).add_node("count", count).add_edge(START, "count").add_conditional_edges("count", again)


def deal(state: State) -> list[Send]:
    return [Send("work", {"n": item}) for item in state["items"]]


async def work(state: State) -> Any:
    return {"log": [f"work {state['n']}"]}


async def join(state: State) -> Any:
    return {"n": len(state["log"])}


dealing = (
    StateGraph(State)
    .add_node("work", work)
    .add_node("join", join)
    .add_conditional_edges(START, deal, ["work"])
    .add_edge("work", "join")
)


async def ask(state: State) -> Any:
    return {"log": [f"answer {interrupt({'n': state.get('n')})}"]}


async def say(state: State) -> Any:
    answer = await ScriptedModel().ainvoke([HumanMessage(f"n is {state.get('n')}", id="q")])
    return {"messages": [answer]}


def _inner(checkpointer: Any) -> Any:
    builder = StateGraph(State).add_node("count", count).add_node("ask", ask)
    return builder.add_edge(START, "count").add_edge("count", "ask").compile(checkpointer=checkpointer)


def _outer(inner: Any) -> Any:
    builder = StateGraph(State).add_node("say", say).add_node("inner", inner).add_node("last", count)
    return builder.add_edge(START, "say").add_edge("say", "inner").add_edge("inner", "last")


inside = _outer(_inner(None))
remembering = _outer(_inner(True))
deeper = _outer(_outer(_inner(None)).compile())


async def leave(state: State) -> Command[Any]:
    return Command(graph=Command.PARENT, goto="last", update={"log": ["left"]})


async def never(state: State) -> Any:
    return {"log": ["never"]}


leaving = (
    StateGraph(State)
    .add_node("inner", StateGraph(State).add_node("leave", leave).add_edge(START, "leave").compile())
    .add_node("never", never)
    .add_node("last", count)
    .add_edge(START, "inner")
    .add_edge("inner", "never")
)


@task
async def double(n: int) -> int:
    return n * 2


@entrypoint()
async def function(n: int) -> dict[str, Any]:
    doubled = [await double(n), await double(n + 1)]
    return {"doubled": doubled, "answer": interrupt({"doubled": doubled})}


async def fail(state: State) -> Any:
    raise ValueError("no")


failing_inside = _outer(
    StateGraph(State)
    .add_node("count", count)
    .add_node("fail", fail)
    .add_edge(START, "count")
    .add_edge("count", "fail")
    .compile()
)
