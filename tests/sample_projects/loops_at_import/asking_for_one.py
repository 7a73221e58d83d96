"""Asks for the current loop instead of making one."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

from langgraph.graph import START, StateGraph
from running import State, _discover

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    FOUND = asyncio.get_event_loop_policy().get_event_loop().run_until_complete(_discover("prompts"))


def node(state: State) -> Any:
    return {"found": FOUND}


graph = StateGraph(State).add_node("node", node).add_edge(START, "node").compile()
