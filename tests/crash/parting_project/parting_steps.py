"""A graph whose module leaves behind, in each process that imports it, all that could keep a process from ending."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

LONG = 600.0


class Parting(TypedDict, total=False):
    folder: str
    leave: str


time.sleep(float(os.environ.get("PARTING_IMPORT_SECONDS", "0")))
if "PARTING_POOLS" in os.environ:
    POOL = ThreadPoolExecutor(2)
    POOL.submit(time.sleep, LONG)
    threading.Thread(target=time.sleep, args=(LONG,)).start()
    FORKED = multiprocessing.get_context("fork").Process(target=time.sleep, args=(LONG,))
    FORKED.start()


def fork(state: Parting) -> Any:
    """A child that shares all that this process has, and outlives it."""
    marks = Path(state["folder"])
    if not list(marks.iterdir()):
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(LONG,))
        child.start()
        (marks / str(child.pid)).touch()
        time.sleep(0.1)
        os.kill(os.getpid(), 9)
    return {"leave": "left"}


def sleep(state: Parting) -> Any:
    (Path(state["folder"]) / "sleeps").touch()
    time.sleep(LONG)
    return {}


parting = (
    StateGraph(Parting)
    .add_node("fork", fork)
    .add_node("sleep", sleep)
    .add_conditional_edges(START, lambda state: state["leave"], ["fork", "sleep"])
    .add_edge("fork", END)
    .add_edge("sleep", END)
    .compile()
)
