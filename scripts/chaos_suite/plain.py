"""What the graphs of scripts/chaos_project do in plain LangGraph: what a server has to bring about whatever happens."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

PROJECT = Path(__file__).resolve().parent.parent / "chaos_project" / "langgraph.json"
_TAG = "?"


def expected(graph: str, tag: str, steps: int) -> tuple[str, ...]:
    """The entries of `done` when the graph has come to its end, its question, or the error that it raises."""
    return tuple(entry.replace(_TAG, tag, 1) for entry in _done(graph, steps, None))


def expected_after(graph: str, tag: str, steps: int, answer: str) -> tuple[str, ...]:
    """The same when a person has answered its question."""
    return tuple(entry.replace(_TAG, tag, 1) for entry in _done(graph, steps, answer))


@cache
def _done(graph: str, steps: int, answer: str | None) -> tuple[str, ...]:
    # In a thread of its own: the caller may be on a loop already.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, _run(_graph(graph), steps, answer)).result()


def _graph(name: str) -> Any:
    folder = str(PROJECT.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    import marking

    graph = getattr(marking, name)
    return graph.copy(update={"checkpointer": InMemorySaver()})


async def _run(graph: Any, steps: int, answer: str | None) -> tuple[str, ...]:
    config = {"configurable": {"thread_id": "plain"}}
    try:
        await graph.ainvoke({"tag": _TAG, "steps": steps, "delay": 0.0}, config)
        if answer is not None:
            await graph.ainvoke(Command(resume=answer), config)
    except RuntimeError:
        pass  # of the graph that raises: what it had done until then is in its state
    state = await graph.aget_state(config)
    return tuple(state.values["done"])
