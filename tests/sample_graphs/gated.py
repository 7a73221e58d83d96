"""Graphs that wait until a file is there, so that a test says when a run goes on; and one that says a lot."""

from __future__ import annotations

import asyncio
import contextlib
import operator
import os
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict


class Gated(TypedDict, total=False):
    gate: str
    label: str
    log: Annotated[list[str], operator.add]


async def enter(state: Gated) -> Any:
    return {"log": [f"{state.get('label', 'x')} in"]}


async def hold(state: Gated) -> Any:
    get_stream_writer()("waiting")
    while not os.path.exists(state["gate"]):  # noqa: ASYNC110, ASYNC240 - what it waits for is a file
        await asyncio.sleep(0.01)
    return {"log": [f"{state.get('label', 'x')} out"]}


gated = (
    StateGraph(Gated).add_node("enter", enter).add_node("hold", hold).add_edge(START, "enter").add_edge("enter", "hold")
).compile()


async def hog(state: Gated) -> Any:
    while not os.path.exists(state["gate"]):  # noqa: ASYNC240 - it is to keep the loop for itself
        time.sleep(0.01)  # noqa: ASYNC251 - what a careless user does
    return {"log": ["free"]}


stuck = StateGraph(Gated).add_node("hog", hog).add_edge(START, "hog").compile()


def wait(state: Gated) -> Any:
    """A plain function: LangGraph calls it in a pool thread."""
    while not os.path.exists(state["gate"]):
        time.sleep(0.01)
    return {"log": ["free"]}


waiting = (
    StateGraph(Gated).add_node("enter", enter).add_node("wait", wait).add_edge(START, "enter").add_edge("enter", "wait")
).compile()


async def ignore(state: Gated) -> Any:
    while not os.path.exists(state["gate"]):  # noqa: ASYNC240 - what it waits for is a file
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.01)
    return {"log": ["free"]}


deaf = StateGraph(Gated).add_node("ignore", ignore).add_edge(START, "ignore").compile()


async def wonder(state: Gated) -> Any:
    return {"log": [interrupt("why?")]}


@contextlib.asynccontextmanager
async def wondering(config: RunnableConfig) -> AsyncIterator[Any]:
    """A graph that asks; a run with a gate in its configuration is held at its end, when it has asked."""
    yield StateGraph(Gated).add_node("wonder", wonder).add_edge(START, "wonder").compile()
    gate = config["configurable"].get("gate", "/")
    while not os.path.exists(gate):  # noqa: ASYNC110, ASYNC240 - what it waits for is a file
        await asyncio.sleep(0.01)


class Flood(TypedDict, total=False):
    events: int
    size: int


async def pour(state: Flood) -> Any:
    writer = get_stream_writer()
    for number in range(state.get("events", 10)):
        writer({"number": number, "text": "x" * state.get("size", 10)})
        await asyncio.sleep(0)
    return {}


flood = StateGraph(Flood).add_node("pour", pour).add_edge(START, "pour").compile()
