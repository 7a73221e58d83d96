"""A graph that says something in every stream mode, step by step."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph, add_messages
from typing_extensions import TypedDict


class Told(TypedDict, total=False):
    steps: int
    delay: float
    heard: str
    n: int
    messages: Annotated[list[AnyMessage], add_messages]


async def until_heard(state: Told, what: str) -> None:
    """Waits until the reader notes in the folder `heard` that it knows this; at once where there is none."""
    while "heard" in state and not Path(state["heard"], what).exists():  # noqa: ASYNC110, ASYNC240 - a file has no event
        await asyncio.sleep(0.005)


async def tell(state: Told) -> Any:
    number = state.get("n", 0)
    get_stream_writer()({"begins": number})
    await until_heard(state, f"begins {number}")
    model = GenericFakeChatModel(messages=iter([AIMessage(f"this is step {number}", id=f"ai-{number}")]))
    answer = await model.ainvoke("say it")
    await asyncio.sleep(state["delay"])
    get_stream_writer()({"ends": number})
    await until_heard(state, f"ends {number}")
    return {"n": number + 1, "messages": [answer]}


def again(state: Told) -> str:
    return "tell" if state["n"] < state["steps"] else "__end__"


telling = StateGraph(Told).add_node("tell", tell).add_edge(START, "tell").add_conditional_edges("tell", again).compile()
