"""Graphs whose nodes leave marks outside of every database: who executed what, and when.

Each entry of `done` begins with the tag of the run's input, so the state of a thread tells what each of its runs did.
"""

from __future__ import annotations

import asyncio
import json
import operator
import os
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import httpx
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from langgraph_sdk import get_client
from typing_extensions import TypedDict

MARKS_VARIABLE = "CHAOS_MARKS"
"""Names the folder of the marks; without it, none are left (as when the graphs run in plain LangGraph)."""


class State(TypedDict, total=False):
    tag: str
    steps: int
    delay: float
    done: Annotated[list[str], operator.add]


_files: dict[int, int] = {}


def mark(state: State, config: RunnableConfig, step: str, what: str) -> None:
    """Appends `[run id, thread id, attempt, tag, step, pid, what, monotonic seconds]` to the file of this process."""
    folder = os.environ.get(MARKS_VARIABLE)
    if folder is None:
        return
    pid = os.getpid()
    if pid not in _files:
        path = Path(folder) / f"{pid}-{time.monotonic_ns()}.jsonl"
        _files[pid] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    known = config["metadata"]
    line = [known["run_id"], known["thread_id"], known["run_attempt"], state["tag"], step, pid, what, time.monotonic()]
    os.write(_files[pid], f"{json.dumps(line)}\n".encode())


def own(state: State) -> int:
    """How many steps the run has done."""
    return sum(entry.startswith(f"{state['tag']}:") for entry in state.get("done") or [])


def _done(state: State, config: RunnableConfig, step: str) -> dict[str, Any]:
    mark(state, config, step, "end")
    entry = f"{state['tag']}:{step}"
    get_stream_writer()(entry)
    return {"done": [entry]}


async def _work(state: State, config: RunnableConfig, step: str) -> dict[str, Any]:
    mark(state, config, step, "start")
    try:
        await asyncio.sleep(state["delay"])
    except asyncio.CancelledError:
        mark(state, config, step, "stop")
        raise
    return _done(state, config, step)


async def step(state: State, config: RunnableConfig) -> Any:
    return await _work(state, config, str(own(state)))


async def left(state: State, config: RunnableConfig) -> Any:
    return await _work(state, config, "left")


async def right(state: State, config: RunnableConfig) -> Any:
    return await _work(state, config, "right")


def blocking_step(state: State, config: RunnableConfig) -> Any:
    name = str(own(state))
    mark(state, config, name, "start")
    threading.Event().wait(state["delay"])  # time.sleep fails where the clock is made to jump
    return _done(state, config, name)


async def stubborn_step(state: State, config: RunnableConfig) -> Any:
    name = str(own(state))
    mark(state, config, name, "start")
    try:
        await asyncio.sleep(state["delay"])
    except asyncio.CancelledError:  # what is tested is that nothing follows from it
        mark(state, config, name, "caught")
        await asyncio.sleep(0.05)
    return _done(state, config, name)


async def delegated_step(state: State, config: RunnableConfig) -> Any:
    """Waits for a run of its own server, which it starts anew when that breaks off."""
    name = str(own(state))
    mark(state, config, name, "start")
    try:
        while not await _delegate(state):  # noqa: ASYNC110 - it is the server that is awaited
            await asyncio.sleep(0.2)
    except asyncio.CancelledError:
        mark(state, config, name, "stop")
        raise
    return _done(state, config, name)


async def _delegate(state: State) -> bool:
    if MARKS_VARIABLE not in os.environ:
        return True  # plain LangGraph has no server
    given: dict[str, Any] = {"tag": f"{state['tag']}/{own(state)}", "steps": 1, "delay": state["delay"]}
    try:
        await get_client().runs.wait(None, "steps", input=given)
    except httpx.HTTPStatusError as error:
        if error.response.status_code < 500:
            raise
        return False
    except httpx.HTTPError:
        return False
    return True


async def fail(state: State, config: RunnableConfig) -> Any:
    await _work(state, config, "fail")
    raise RuntimeError("as it was asked to")


async def first(state: State, config: RunnableConfig) -> Any:
    return await _work(state, config, "first")


def ask(state: State, config: RunnableConfig) -> Any:
    mark(state, config, "ask", "start")
    answer = interrupt({"tag": state["tag"]})
    return _done(state, config, f"ask={answer}")


async def last(state: State, config: RunnableConfig) -> Any:
    return await _work(state, config, "last")


def _chain(node: Any, *then: tuple[str, Any]) -> Any:
    """`steps` times the node, then the others at once."""
    names = [name for name, _ in then] or [END]

    def further(state: State) -> Any:
        return "step" if own(state) < state["steps"] else names

    graph = StateGraph(State).add_node("step", node).add_edge(START, "step")
    graph.add_conditional_edges("step", further, ["step", *names])
    for name, other in then:
        graph.add_node(name, other).add_edge(name, END)
    return graph.compile()


steps = _chain(step, ("left", left), ("right", right))
blocking = _chain(blocking_step)
delegating = _chain(delegated_step)
stubborn = _chain(stubborn_step)
failing = _chain(step, ("fail", fail))
asking = (
    StateGraph(State)
    .add_node("first", first)
    .add_node("ask", ask)
    .add_node("last", last)
    .add_edge(START, "first")
    .add_edge("first", "ask")
    .add_edge("ask", "last")
    .compile()
)
