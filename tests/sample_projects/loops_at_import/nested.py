"""Patches asyncio so that loops can be run within loops."""

from __future__ import annotations

from typing import Any

import nest_asyncio
from langgraph.graph import START, StateGraph
from running import State, _discover

nest_asyncio.apply()


async def node(state: State) -> Any:
    return {"found": await _discover("nested")}


graph = StateGraph(State).add_node("node", node).add_edge(START, "node").compile()
