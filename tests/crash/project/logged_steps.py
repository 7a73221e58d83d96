"""Graphs that log, outside of every database, when a step begins and when it ends."""

from __future__ import annotations

import asyncio
import operator
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

# A worker that starts while there is this file is not ready before it is removed.
while (held := os.environ.get("HELD_STARTS")) and Path(held).exists():
    time.sleep(0.01)


class Logged(TypedDict, total=False):
    step_log: str
    steps: int
    delay: float
    deadly: bool
    fails: int
    done: Annotated[list[int], operator.add]
    sides: Annotated[list[str], operator.add]


def step_logger(state: Logged, config: RunnableConfig, step: str) -> Callable[[str], None]:
    """Writes lines "run attempt step pid what"; a line is one write to the end of the file."""
    known = config["metadata"]
    place = f"{known['run_id']} {known['run_attempt']} {step} {os.getpid()}"

    def log(what: str) -> None:
        file = os.open(state["step_log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{place} {what}\n".encode())
        os.close(file)

    return log


async def _work(state: Logged, config: RunnableConfig, step: str) -> None:
    log = step_logger(state, config, step)
    log("start")
    try:
        await asyncio.sleep(state.get("delay", 0.03))
    except asyncio.CancelledError:
        log("stop")
        raise
    log("end")


async def step(state: Logged, config: RunnableConfig) -> Any:
    number = len(state.get("done") or [])
    await _work(state, config, str(number))
    return {"done": [number]}


async def left(state: Logged, config: RunnableConfig) -> Any:
    await _work(state, config, "left")
    return {"sides": ["left"]}


async def right(state: Logged, config: RunnableConfig) -> Any:
    await _work(state, config, "right")
    return {"sides": ["right"]}


def further(state: Logged) -> Any:
    return "step" if len(state.get("done") or []) < state.get("steps", 4) else ["left", "right"]


# Steps one after the other, then two at once.
logged = (
    StateGraph(Logged)
    .add_node("step", step)
    .add_node("left", left)
    .add_node("right", right)
    .add_edge(START, "step")
    .add_conditional_edges("step", further, ["step", "left", "right"])
    .add_edge("left", END)
    .add_edge("right", END)
    .compile()
)


class Busy(Exception):
    """What passes."""


async def stumble(state: Logged, config: RunnableConfig) -> Any:
    number = len(state.get("done") or [])
    log = step_logger(state, config, str(number))
    log("start")
    await asyncio.sleep(state.get("delay", 0.03))
    if _raised(state, config, str(number)) < state.get("fails", 0):
        log("raise")
        raise Busy
    log("end")
    return {"done": [number]}


def _raised(state: Logged, config: RunnableConfig, step: str) -> int:
    """How often a step of this run has raised, whatever died meanwhile."""
    begin, end = f"{config['metadata']['run_id']} ", " raise"
    lines = Path(state["step_log"]).read_text().splitlines()
    return sum(line.startswith(begin) and line.endswith(end) and line.split()[2] == step for line in lines)


# Each step raises so many times before it succeeds.
stumbling = (
    StateGraph(Logged)
    .add_node("stumble", stumble)
    .add_edge(START, "stumble")
    .add_conditional_edges(
        "stumble", lambda state: "stumble" if len(state["done"]) < state.get("steps", 4) else END, ["stumble", END]
    )
    .compile()
)


async def ask(state: Logged, config: RunnableConfig) -> Any:
    answer = interrupt("which side?")
    await _work(state, config, f"answer-{answer}")
    return {"sides": [answer]}


# A step, a question to a person, whose answer takes work, and a step.
asking = (
    StateGraph(Logged)
    .add_node("step", step)
    .add_node("ask", ask)
    .add_node("right", right)
    .add_edge(START, "step")
    .add_edge("step", "ask")
    .add_edge("ask", "right")
    .add_edge("right", END)
    .compile()
)


async def die(state: Logged, config: RunnableConfig) -> Any:
    step_logger(state, config, "die")("start")
    if state.get("deadly"):
        await asyncio.sleep(state.get("delay", 0.03))
        os.kill(os.getpid(), signal.SIGKILL)
    return {"done": [0]}


# Kills the process that executes it, if asked to, each time.
deadly = StateGraph(Logged).add_node("die", die).add_edge(START, "die").compile()
