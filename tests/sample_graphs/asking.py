"""Graphs that stop and ask."""

from __future__ import annotations

import operator
from typing import Annotated, Any

from langgraph.func import entrypoint
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict


class Asking(TypedDict, total=False):
    text: str
    answer: Any
    log: Annotated[list[str], operator.add]


async def prepare(state: Asking) -> Any:
    return {"log": ["prepare"]}


async def human(state: Asking) -> Any:
    return {"answer": interrupt({"question": "ok?", "text": state.get("text")}), "log": ["human"]}


async def finish(state: Asking) -> Any:
    return {"log": ["finish"]}


interrupting = (
    StateGraph(Asking)
    .add_node("prepare", prepare)
    .add_node("human", human)
    .add_node("finish", finish)
    .add_edge(START, "prepare")
    .add_edge("prepare", "human")
    .add_edge("human", "finish")
    .compile()
)


class Both(TypedDict, total=False):
    got: Annotated[list[Any], operator.add]


async def left(state: Both) -> Any:
    return {"got": [["left", interrupt("left?")]]}


async def right(state: Both) -> Any:
    return {"got": [["right", interrupt("right?")]]}


two_asks = (
    StateGraph(Both)
    .add_node("left", left)
    .add_node("right", right)
    .add_edge(START, "left")
    .add_edge(START, "right")
    .compile()
)


@entrypoint()
async def asking_function(x: Any) -> Any:
    return {"got": interrupt({"about": x})}
