"""Graphs that leave a mark outside of every database when a step begins and when it ends."""

from __future__ import annotations

import asyncio
import operator
import os
import signal
from collections.abc import Callable
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict


class Marked(TypedDict, total=False):
    marks: str
    steps: int
    delay: float
    deadly: bool
    done: Annotated[list[int], operator.add]
    sides: Annotated[list[str], operator.add]


def marker(state: Marked, config: RunnableConfig, step: str) -> Callable[[str], None]:
    """Writes lines "run attempt step pid what"; a line is one write to the end of the file."""
    known = config["metadata"]
    place = f"{known['run_id']} {known['run_attempt']} {step} {os.getpid()}"

    def mark(what: str) -> None:
        file = os.open(state["marks"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{place} {what}\n".encode())
        os.close(file)

    return mark


async def _work(state: Marked, config: RunnableConfig, step: str) -> None:
    mark = marker(state, config, step)
    mark("start")
    try:
        await asyncio.sleep(state.get("delay", 0.03))
    except asyncio.CancelledError:
        mark("stop")
        raise
    mark("end")


async def step(state: Marked, config: RunnableConfig) -> Any:
    number = len(state.get("done") or [])
    await _work(state, config, str(number))
    return {"done": [number]}


async def left(state: Marked, config: RunnableConfig) -> Any:
    await _work(state, config, "left")
    return {"sides": ["left"]}


async def right(state: Marked, config: RunnableConfig) -> Any:
    await _work(state, config, "right")
    return {"sides": ["right"]}


def further(state: Marked) -> Any:
    return "step" if len(state.get("done") or []) < state.get("steps", 4) else ["left", "right"]


# Steps one after the other, then two at once.
marking = (
    StateGraph(Marked)
    .add_node("step", step)
    .add_node("left", left)
    .add_node("right", right)
    .add_edge(START, "step")
    .add_conditional_edges("step", further, ["step", "left", "right"])
    .add_edge("left", END)
    .add_edge("right", END)
    .compile()
)


async def die(state: Marked, config: RunnableConfig) -> Any:
    marker(state, config, "die")("start")
    if state.get("deadly"):
        await asyncio.sleep(state.get("delay", 0.03))
        os.kill(os.getpid(), signal.SIGKILL)
    return {"done": [0]}


# Kills the process that executes it, if asked to, each time.
fragile = StateGraph(Marked).add_node("die", die).add_edge(START, "die").compile()
