"""A graph whose state holds all kinds of values; apart from the other graphs, since it takes numpy and pandas."""

from __future__ import annotations

import operator
import threading
from typing import Annotated, Any

from langgraph.graph import START, StateGraph
from state_values import ARRAYS, FRAMES, SCALARS, VALUES  # type: ignore[import-not-found] # beside it
from typing_extensions import TypedDict

CHOICE: dict[str, Any] = {**VALUES, **ARRAYS, **FRAMES, **SCALARS, "lock": [threading.Lock()]}


class State(TypedDict, total=False):
    pick: str
    value: Any
    types: Annotated[list[str], operator.add]


def make(state: State) -> Any:
    before = [type(state["value"]).__qualname__] if "value" in state else []
    return {"value": CHOICE[state["pick"]], "types": before}


holding = StateGraph(State).add_node("make", make).add_edge(START, "make").compile()
