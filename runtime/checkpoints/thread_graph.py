"""Which graph to look at a thread with; apart from what needs LangGraph, so that services can name it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runyard.runtime.auth.user import User


@dataclass(frozen=True, slots=True)
class ThreadGraph:
    """A thread and the graph whose state it holds. `configurable` is what a factory makes the graph from, for `user`:
    whoever looks; None: nobody in particular."""

    thread_id: str
    graph_id: str
    configurable: Mapping[str, Any]
    user: User | None = field(repr=False)
