"""Sets what a process has one of, at import, as a script may; says in `found` what was there before."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import warnings
from typing import Any

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

FOUND: dict[str, Any] = {
    "start method": multiprocessing.get_start_method(allow_none=True),
    "event loop policy": type(asyncio.get_event_loop_policy()).__module__.partition(".")[0],
    "SIGTERM": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
    "SIGUSR1": signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL,
    "directory": os.getcwd(),
    "argv": sys.argv[1:2],
    "warnings": [str(found) for found in warnings.filters],
    "recursion limit": sys.getrecursionlimit(),
    "running loop": asyncio._get_running_loop() is not None,
}

multiprocessing.set_start_method("spawn")
asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())
signal.signal(signal.SIGTERM, lambda *_: None)
signal.signal(signal.SIGINT, lambda *_: sys.exit(3))
signal.signal(signal.SIGUSR1, lambda *_: None)
logging.getLogger().setLevel(logging.ERROR)
warnings.simplefilter("ignore")
os.chdir(tempfile.gettempdir())


class State(TypedDict, total=False):
    found: dict[str, Any]
    now: dict[str, Any]


def node(state: State) -> Any:
    now = {
        "start method": multiprocessing.get_start_method(),
        "root level": logging.getLogger().level,
        "directory": os.path.realpath(os.getcwd()) == os.path.realpath(tempfile.gettempdir()),
        "SIGUSR1": signal.getsignal(signal.SIGUSR1) != signal.SIG_DFL,
        "warnings": warnings.filters[0][0],
    }
    return {"found": FOUND, "now": now}


graph = StateGraph(State).add_node("node", node).add_edge(START, "node").compile()
