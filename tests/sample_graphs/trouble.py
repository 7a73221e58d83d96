"""Graphs that fail, block, die, or answer what JSON does not know."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Annotated, Any

from langchain_core.messages import HumanMessage
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict


def _joined(old: list[str], new: list[str]) -> list[str]:
    return [*old, *new]


class Failing(TypedDict, total=False):
    fail: bool
    log: Annotated[list[str], _joined]


async def first(state: Failing) -> Any:
    return {"log": ["first"]}


async def second(state: Failing) -> Any:
    if state.get("fail", True):
        raise ValueError("boom from failing graph")
    return {"log": ["second"]}


failing = (
    StateGraph(Failing)
    .add_node("first", first)
    .add_node("second", second)
    .add_edge(START, "first")
    .add_edge("first", "second")
    .compile()
)


class Flaky(TypedDict, total=False):
    calls: str
    fails: int
    error: str
    log: Annotated[list[str], _joined]


class Busy(Exception):
    """What a library raises of which nobody here knows anything."""


async def begin(state: Flaky) -> Any:
    return {"log": [_call(state, "begin")]}


async def go_on(state: Flaky) -> Any:
    said = _call(state, "go on")
    if int(said.split()[0]) <= state.get("fails", 1):
        raise {"ValueError": ValueError, "TimeoutError": TimeoutError}.get(state.get("error", ""), Busy)(said)
    return {"log": [said]}


def _call(state: Flaky, name: str) -> str:
    """Notes the call in a file; the number of calls of that name, and the name."""
    calls = Path(state["calls"])
    with calls.open("a") as file:
        file.write(f"{name}\n")
    return f"{calls.read_text().splitlines().count(name)} {name}"


flaky = (
    StateGraph(Flaky)
    .add_node("begin", begin)
    .add_node("go_on", go_on)
    .add_edge(START, "begin")
    .add_edge("begin", "go_on")
    .compile()
)


class Blocking(TypedDict, total=False):
    seconds: float
    done: bool


async def block(state: Blocking) -> Any:
    time.sleep(state.get("seconds", 0.5))  # noqa: ASYNC251 - what a careless user does
    return {"done": True}


blocking = StateGraph(Blocking).add_node("block", block).add_edge(START, "block").compile()


class Deadly(TypedDict, total=False):
    survivors: int


async def die(state: Deadly) -> Any:
    if os.environ.get("RUNYARD_TESTS_MAY_DIE"):  # only where the process is a worker that may be lost
        os.kill(os.getpid(), signal.SIGKILL)
    return {"survivors": 1}


deadly = StateGraph(Deadly).add_node("die", die).add_edge(START, "die").compile()


class Exiting(TypedDict, total=False):
    code: int


async def leave(state: Exiting) -> Any:
    raise SystemExit(state.get("code", 3))


exiting = StateGraph(Exiting).add_node("leave", leave).add_edge(START, "leave").compile()


class Unspeakable(Exception):
    """An exception whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Odd(TypedDict, total=False):
    kind: str
    out: Any


async def make(state: Odd) -> Any:
    match state.get("kind"):
        case "unspeakable":
            raise Unspeakable
        case "cancelled":
            raise asyncio.CancelledError("by the node itself")
        case "stubborn":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise ValueError("not now") from None
        case "big":
            return {"out": 2**70}
        case "nan":
            return {"out": [float("nan"), float("inf")]}
        case "message":
            return {"out": HumanMessage("hi", id="h")}
        case "deep":
            out: Any = []
            for _ in range(400):
                out = [out]
            return {"out": out}
    return {"out": {"set": {1}, "bytes": b"ab"}}


odd = StateGraph(Odd).add_node("make", make).add_edge(START, "make").compile()
