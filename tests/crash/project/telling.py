"""A graph that says something in every stream mode, step by step."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph, add_messages
from typing_extensions import TypedDict


class Told(TypedDict, total=False):
    steps: int
    delay: float
    n: int
    messages: Annotated[list[AnyMessage], add_messages]


async def tell(state: Told) -> Any:
    number = state.get("n", 0)
    get_stream_writer()({"begins": number})
    model = GenericFakeChatModel(messages=iter([AIMessage(f"this is step {number}", id=f"ai-{number}")]))
    answer = await model.ainvoke("say it")
    await asyncio.sleep(state["delay"])
    get_stream_writer()({"ends": number})
    return {"n": number + 1, "messages": [answer]}


def again(state: Told) -> str:
    return "tell" if state["n"] < state["steps"] else "__end__"


telling = StateGraph(Told).add_node("tell", tell).add_edge(START, "tell").add_conditional_edges("tell", again).compile()
