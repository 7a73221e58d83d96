"""Nodes that do to their process what nodes should not, and graphs that do not let themselves be stopped."""

from __future__ import annotations

import asyncio
import operator
import os
import time
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict


class Deed(TypedDict, total=False):
    deed: str
    beside: bool
    log: Annotated[list[str], operator.add]


def do(deed: str) -> None:
    """Does it, to the event loop that executes runs where one is needed."""
    match deed:
        case "keyboard interrupt":
            raise KeyboardInterrupt
        case "system exit":
            raise SystemExit(3)
        case "generator exit":
            raise GeneratorExit
        case "cancelled":
            raise asyncio.CancelledError


async def act(state: Deed) -> Any:
    loop = asyncio.get_running_loop()
    match state["deed"]:
        case "stop the loop":
            loop.stop()
        case "close the loop":
            loop.close()
        case "cancel all tasks":
            for task in asyncio.all_tasks():
                task.cancel()
            await asyncio.sleep(60)
        case "exit in a callback":
            loop.call_soon(do, "system exit")
            loop.call_soon(do, "keyboard interrupt")
            await asyncio.sleep(0.05)
            raise ValueError("after the callbacks")
        case "exit in a task":
            await asyncio.create_task(asyncio.to_thread(do, "keyboard interrupt"))
        case deed:
            do(deed)
    return {"log": ["done"]}


def act_in_thread(state: Deed) -> Any:
    do(state["deed"])
    return {"log": ["done"]}


async def idle(state: Deed) -> Any:
    await asyncio.sleep(0.01)
    return {}


def _acting(node: Any) -> Any:
    """Alone and beside another node: LangGraph runs them in different ways."""
    return (
        StateGraph(Deed)
        .add_node("act", node)
        .add_node("idle", idle)
        .add_conditional_edges(START, lambda state: ["act", "idle"] if state.get("beside") else ["act"])
        .compile()
    )


hostile = _acting(act)
hostile_thread = _acting(act_in_thread)


class Stubborn(TypedDict, total=False):
    kind: str
    seconds: float
    after: str
    log: Annotated[list[str], operator.add]


def block(state: Stubborn) -> None:
    """What a careless user does in an async node."""
    with open(state["after"] + ".begun", "w"):
        until = time.monotonic() + state.get("seconds", 60.0)
    while time.monotonic() < until and not os.path.exists(state["after"] + ".end"):
        time.sleep(0.01)


async def resist(state: Stubborn) -> Any:
    get_stream_writer()("waiting")
    seconds = state.get("seconds", 60.0)
    match state["kind"]:
        case "swallows":
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                return {"log": ["partial"]}
        case "swallows all":
            try:
                await asyncio.sleep(seconds)
            except BaseException:  # noqa: BLE001 - the point of it
                return {"log": ["partial"]}
        case "waits for":
            try:
                await asyncio.wait_for(asyncio.sleep(seconds), 70)
            except (TimeoutError, asyncio.CancelledError):
                return {"log": ["partial"]}
        case "cleans up":
            try:
                await asyncio.sleep(seconds)
            finally:
                await asyncio.sleep(0.3)
                get_stream_writer()("cleaned up")
        case "own task":
            task = asyncio.create_task(asyncio.sleep(seconds))
            while not task.done():
                try:
                    await asyncio.shield(task)
                except asyncio.CancelledError:
                    return {"log": ["partial"]}
        case "deaf":
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                try:
                    await asyncio.sleep(0.05)
                except asyncio.CancelledError:
                    continue
        case "blocks":
            while not os.path.exists(state["after"] + ".begin"):  # noqa: ASYNC110, ASYNC240 - what it waits for is a file
                await asyncio.sleep(0.01)  # so that what was said above gets out
            block(state)
    return {"log": ["whole"]}


def resist_in_thread(state: Stubborn) -> Any:
    get_stream_writer()("waiting")
    until = time.monotonic() + state.get("seconds", 60.0)
    while time.monotonic() < until and not os.path.exists(state["after"] + ".end"):
        time.sleep(0.01)
    return {"log": ["whole"]}


async def follow(state: Stubborn) -> Any:
    """Leaves a mark: no step may come after a stop."""
    with open(state["after"], "a") as file:  # noqa: ASYNC230 - a file is what the test can see
        file.write("x")
    return {"log": ["after"]}


def _resisting(node: Any) -> Any:
    return (
        StateGraph(Stubborn)
        .add_node("node", node)
        .add_node("follow", follow)
        .add_edge(START, "node")
        .add_edge("node", "follow")
        .compile()
    )


stubborn = _resisting(resist)
stubborn_thread = _resisting(resist_in_thread)


async def left(state: Stubborn) -> Any:
    return {"kind": "left"}


async def right(state: Stubborn) -> Any:
    return {"kind": "right"}


# Two nodes have written what only one may, and a third is still at work: the state cannot be read.
clashing = (
    StateGraph(Stubborn)
    .add_node("left", left)
    .add_node("right", right)
    .add_node("node", resist)
    .add_edge(START, "left")
    .add_edge(START, "right")
    .add_edge(START, "node")
    .compile()
)


async def ask(state: Stubborn) -> Any:
    """Asks, and is held up by the answer `hold`."""
    if (answer := interrupt("first?")) == "hold":
        await resist({"kind": "swallows"})
    return {"log": [answer]}


held_up = StateGraph(Stubborn).add_node("ask", ask).add_edge(START, "ask").compile()


async def hanging(config: RunnableConfig) -> Any:
    """A factory that makes a graph once for each thread, and then never again."""
    thread_id = config["configurable"].get("thread_id")
    if thread_id in _made:
        await asyncio.sleep(60)
    _made.add(thread_id)
    return stubborn


_made: set[Any] = set()
