"""Graphs for the thread event protocol: several models at once, and a transformer of the stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from chatting import Chat, answer
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langgraph.graph import START, StateGraph
from langgraph.stream import ProtocolEvent, StreamChannel, StreamTransformer
from langgraph.types import Send
from scripted_model import ScriptedModel

VOICES = ("bass", "tenor", "alto")


async def sing(state: Any) -> Any:
    model = ScriptedModel(prefix=f"{state['voice']}:", speaker=state["voice"])
    return {"messages": [await model.ainvoke(state["messages"])]}


def voices(state: Chat) -> list[Send]:
    return [Send("sing", {"messages": state["messages"], "voice": voice}) for voice in VOICES]


choir = StateGraph(Chat).add_node("sing", sing).add_conditional_edges(START, voices, ["sing"]).compile()


class Counting(StreamTransformer):
    """Counts the values on a channel of its own, and hides them."""

    required_stream_modes = ("values",)

    def __init__(self, scope: tuple[str, ...] = ()) -> None:
        super().__init__(scope)
        self._count = 0
        self._channel: StreamChannel[int] = StreamChannel("counted")

    def init(self) -> dict[str, Any]:
        return {"counted": self._channel}

    def process(self, event: ProtocolEvent) -> bool:
        if event["method"] == "values":
            self._count += 1
            self._channel.push(self._count)
            event["params"]["data"] = {"messages": "hidden"}
        return event["method"] != "updates"


transformed = StateGraph(Chat).add_node("model", answer).add_edge(START, "model").compile(transformers=[Counting])


class Speechless(ScriptedModel):
    """Never finds its second word."""

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=self._words(messages)[0])
        await asyncio.Event().wait()


async def falter(state: Chat) -> Any:
    return {"messages": [await Speechless().ainvoke(state["messages"])]}


faltering = StateGraph(Chat).add_node("falter", falter).add_edge(START, "falter").compile()
speechless = StateGraph(Chat).add_node("child", faltering).add_edge(START, "child").compile()
