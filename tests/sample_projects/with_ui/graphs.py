"""A graph that shows components of its project, changes one and takes another away."""

from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.ui import AnyUIMessage, delete_ui_message, push_ui_message, ui_message_reducer


class Shown(TypedDict):
    """A conversation, and what is shown with it."""

    messages: Annotated[Sequence[AnyMessage], add_messages]
    ui: Annotated[Sequence[AnyUIMessage], ui_message_reducer]


async def show(state: Shown) -> dict[str, Any]:
    """Shows the weather."""
    message = AIMessage(id="answer", content="Look:")
    push_ui_message("weather", {"city": "Oslo", "degrees": 3}, id="weather", message=message)
    push_ui_message("weather", {"degrees": 4}, id="weather", message=message, merge=True)
    push_ui_message("advertisement", {}, id="advertisement", message=message)
    delete_ui_message("advertisement")
    return {"messages": [message]}


agent = StateGraph(Shown).add_node(show).add_edge(START, "show").compile()
