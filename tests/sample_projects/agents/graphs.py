"""An agent that asks before it answers."""

from __future__ import annotations

from typing import Annotated, Any

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt
from typing_extensions import TypedDict


class Talk(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


async def ask(state: Talk) -> Any:
    city = interrupt("Which city?")
    return {"messages": [AIMessage(f"It rains in {city}", id="ai-1")]}


asking = StateGraph(Talk).add_node("ask", ask).add_edge(START, "ask").add_edge("ask", END).compile()
