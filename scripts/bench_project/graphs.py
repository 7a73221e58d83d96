"""The graphs of the benchmark: as little work as possible of their own, so that the server shows."""

from __future__ import annotations

import asyncio
import os
import time
from functools import cache
from typing import Any, TypedDict

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph

CHAIN_NODES = 10
SLEEP_SECONDS = 0.1
SECOND_EVENTS = 10
PACE = 10_000
"""Events a second of `paced`."""


class State(TypedDict, total=False):
    n: int


async def _count(state: State) -> State:
    return {"n": state["n"] + 1}


async def _sleep(state: State) -> State:
    await asyncio.sleep(SLEEP_SECONDS)
    return {"n": state["n"] + 1}


async def _second(state: State) -> State:
    write = get_stream_writer()
    for number in range(SECOND_EVENTS):
        write({"number": number})
        await asyncio.sleep(1 / SECOND_EVENTS)
    return {"n": SECOND_EVENTS}


async def _flood(state: State) -> State:
    write = get_stream_writer()
    for number in range(state["n"]):
        write({"number": number})
        if number % 20 == 0:
            await asyncio.sleep(0)  # as a model's client would: whoever sends the events gets its turn
    return {"n": state["n"]}


async def _paced(state: State) -> State:
    """Emits `n` events, each with the time of day in seconds, at an even rate."""
    write = get_stream_writer()
    begin, emitted = time.perf_counter(), 0
    while emitted < state["n"]:
        for number in range(emitted, min(state["n"], int((time.perf_counter() - begin) * PACE))):
            write({"number": number, "at": time.time()})
            emitted = number + 1
        await asyncio.sleep(0.001)
    return {"n": emitted}


class Task(TypedDict, total=False):
    sent: float
    """The time of day, in seconds, at which the run was asked for."""
    notes: str
    """A file: gets the seconds until the run began as a line, and `done` at its end."""


async def _noted(state: Task) -> Task:
    _note(state["notes"], f"{time.time() - state['sent']}")
    await asyncio.sleep(1.0)
    _note(state["notes"], "done")
    return {}


def _note(file: str, line: str) -> None:
    os.write(_opened(file), f"{line}\n".encode())


@cache
def _opened(file: str) -> int:
    """Opened once: it is the server that is to be measured."""
    return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


class Talk(MessagesState, total=False):
    n: int


async def _talk(state: Talk) -> Talk:
    # Each word and each blank between two words is a token of this model.
    text = " ".join(["word"] * (state["n"] // 2))
    model = GenericFakeChatModel(messages=iter([AIMessage(text)]))
    return {"messages": [await model.ainvoke("say it")], "n": state["n"]}


def _one(name: str, node: Any, state: type[Any] = State) -> StateGraph[Any]:
    graph: StateGraph[Any] = StateGraph(state)
    graph.add_node(name, node)
    graph.add_edge(START, name)
    graph.add_edge(name, END)
    return graph


def _chain() -> StateGraph[State]:
    graph = StateGraph(State)
    names = [f"node{number}" for number in range(CHAIN_NODES)]
    for name in names:
        graph.add_node(name, _count)
    for before, after in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(before, after)
    return graph


noop = _one("noop", _count).compile()
chain = _chain().compile()
sleep = _one("sleep", _sleep).compile()
second = _one("second", _second).compile()
flood = _one("flood", _flood).compile()
paced = _one("paced", _paced).compile()
noted = _one("noted", _noted, Task).compile()
tokens = _one("talk", _talk, Talk).compile()
