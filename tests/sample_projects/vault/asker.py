"""A graph that has another run of this server do its work."""

from __future__ import annotations

from typing import Any

from langgraph.graph import START, StateGraph
from langgraph_sdk import get_client
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    secret: str
    log: list[str]


async def ask(state: State) -> dict[str, Any]:
    thread = await get_client().threads.create(metadata={"owner": "a run"})
    values: Any = await get_client().runs.wait(thread["thread_id"], "keeper", input={"secret": state["secret"]})
    return {"log": values["log"]}


asker = StateGraph(State).add_node("ask", ask).add_edge(START, "ask")
