"""A graph that shows what the project and the request have laid down for it."""

from __future__ import annotations

import os
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict


class Shown(TypedDict, total=False):
    values: Any
    recursion_limit: int
    tags: Any
    variable: str | None


def show(state: Shown, config: RunnableConfig) -> Any:
    own = config["configurable"]
    return {
        "values": {key: value for key, value in own.items() if key in ("model", "size", "x-team", "x-user-id")},
        "recursion_limit": config["recursion_limit"],
        "tags": config.get("tags"),
        "variable": os.environ.get("SAMPLE_VARIABLE"),
    }


graph = StateGraph(Shown).add_node("show", show).add_edge(START, "show").compile()
