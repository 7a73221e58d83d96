"""A graph whose state is slow to read, or deadly, as files say; and a module that wants the main thread."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Annotated, Any

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict


def _added(old: list[str], new: list[str]) -> list[str]:
    """Waits for each file that is named, and dies of `die`."""
    for word in new:
        if word.startswith("/"):
            while not os.path.exists(word):
                time.sleep(0.01)
        elif word == "die":
            os.kill(os.getpid(), signal.SIGKILL)
    return [*old, *new]


class State(TypedDict, total=False):
    log: Annotated[list[str], _added]
    text: str


def note(state: State) -> Any:
    return {"log": ["noted"]}


graph = StateGraph(State).add_node("note", note).add_edge(START, "note").compile()

if not os.environ.get("RUNYARD_WORKERS"):  # with --workers 0 there is no main thread to be had
    asyncio.get_event_loop().add_signal_handler(signal.SIGUSR1, print)
