"""Modules that run event loops while they are imported, as some libraries do by themselves."""

from __future__ import annotations

import asyncio
from typing import Any

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    found: str


async def _discover(what: str) -> str:
    await asyncio.sleep(0)
    return what


FOUND = asyncio.run(_discover("tools"))


async def node(state: State) -> Any:
    await asyncio.sleep(0.001)
    return {"found": FOUND}


graph = StateGraph(State).add_node("node", node).add_edge(START, "node").compile()
