"""The graphs of the runs in the archives. Old archives hold their states, so they are not to be changed: what a new
archive needs becomes a graph of its own.

A run whose input says `held` stops half-way until there is a file at the path that the variable GATE names. So the
same run can be stopped where its archive is made and go on where it is opened.
"""

from __future__ import annotations

import asyncio
import operator
import os
from pathlib import Path
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from typing_extensions import TypedDict


class Counted(TypedDict, total=False):
    """log: one entry a step. attempts: at which attempt of its run each step was made."""

    label: str
    held: bool
    log: Annotated[list[str], operator.add]
    attempts: Annotated[list[int], operator.add]


async def _gate(state: Counted) -> None:
    gate = Path(os.environ["GATE"])
    while state.get("held") and not gate.exists():  # noqa: ASYNC110, ASYNC240 - what it waits for is a file
        await asyncio.sleep(0.02)


def _note(text: str, config: RunnableConfig) -> Any:
    get_stream_writer()({"made": text})
    return {"log": [text], "attempts": [config["metadata"]["run_attempt"]]}


def _step(number: int, *, gated: bool = False) -> Any:
    async def step(state: Counted, config: RunnableConfig) -> Any:
        if gated:
            await _gate(state)
        # The label of an assistant wins over that of the input.
        label = config["configurable"].get("label") or state["label"]
        return _note(f"{label}{number}", config)

    return step


counting = (
    StateGraph(Counted)
    .add_node("zero", _step(0))
    .add_node("one", _step(1))
    .add_node("two", _step(2, gated=True))
    .add_node("three", _step(3))
    .add_edge(START, "zero")
    .add_edge("zero", "one")
    .add_edge("one", "two")
    .add_edge("two", "three")
    .compile()
)


async def left(state: Counted, config: RunnableConfig) -> Any:
    return _note("left", config)


async def right(state: Counted, config: RunnableConfig) -> Any:
    await _gate(state)
    return _note("right", config)


# One of two nodes of a step ends at once, the other is held: what the first wrote is not in a checkpoint yet.
parallel = (
    StateGraph(Counted)
    .add_node("left", left)
    .add_node("right", right)
    .add_edge(START, "left")
    .add_edge(START, "right")
    .compile()
)


async def fail(state: Counted) -> Any:
    raise ValueError("This graph fails after its first step.")


failing = (
    StateGraph(Counted)
    .add_node("zero", _step(0))
    .add_node("fail", fail)
    .add_edge(START, "zero")
    .add_edge("zero", "fail")
).compile()


class Asking(TypedDict, total=False):
    question: str
    answer: Any
    log: Annotated[list[str], operator.add]


async def prepare(state: Asking) -> Any:
    return {"log": ["prepared"]}


async def ask(state: Asking) -> Any:
    return {"answer": interrupt({"question": state["question"]}), "log": ["asked"]}


asking = (
    StateGraph(Asking)
    .add_node("prepare", prepare)
    .add_node("ask", ask)
    .add_edge(START, "prepare")
    .add_edge("prepare", "ask")
    .compile()
)


class Kept(TypedDict, total=False):
    """Writes `value`, if there is one, under `key`; `found` is what the store has for it then."""

    key: str
    value: Any
    found: Any


async def remember(state: Kept, runtime: Runtime[Any]) -> Any:
    assert runtime.store is not None
    namespace = ("earlier", "items")
    if state.get("value") is not None:
        await runtime.store.aput(namespace, state["key"], state["value"])
    item = await runtime.store.aget(namespace, state["key"])
    return {"found": None if item is None else item.value}


remembering = StateGraph(Kept).add_node("remember", remember).add_edge(START, "remember").compile()
