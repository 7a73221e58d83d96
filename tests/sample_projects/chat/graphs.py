"""A conversation that is written word by word and waits for a gate in the middle, then asks before it says goodbye.

The gate is a file: the last message names it behind "hold". A message without it is answered at once.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import interrupt


class Writer(BaseChatModel):
    """Says `You said <first word>`, waits for the gate, and says ` and that is all`."""

    @property
    def _llm_type(self) -> str:
        return "writer"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError("it is always streamed")

    def _stream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        raise NotImplementedError("it is always streamed")

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        said, *rest = messages[-1].text.split()
        for word in ("You ", "said ", said):
            yield await self._chunk(word, run_manager)
        if rest[:1] == ["hold"]:
            while not Path(rest[1]).exists():  # noqa: ASYNC110, ASYNC240 - what it waits for is a file
                await asyncio.sleep(0.02)
        for word in (" and", " that", " is", " all"):
            yield await self._chunk(word, run_manager)

    async def _chunk(self, word: str, run_manager: Any) -> ChatGenerationChunk:
        chunk = ChatGenerationChunk(message=AIMessageChunk(content=word))
        if run_manager:
            await run_manager.on_llm_new_token(word, chunk=chunk)
        return chunk

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, run_manager: Any = None, **__: Any) -> ChatResult:
        words = [chunk.text async for chunk in self._astream(messages, run_manager=run_manager)]
        return ChatResult(generations=[ChatGeneration(message=AIMessage("".join(words)))])


class Conversation(TypedDict):
    """What was said."""

    messages: Annotated[list[AnyMessage], add_messages]


async def answer(state: Conversation) -> Any:
    """Answers the last message."""
    return {"messages": [await Writer().ainvoke(state["messages"])]}


async def confirm(state: Conversation) -> Any:
    """Asks before it goes on."""
    return {"messages": [AIMessage(f"Goodbye, {interrupt({'question': 'Who are you?'})}")]}


chat = (
    StateGraph(Conversation)
    .add_node(answer)
    .add_node(confirm)
    .add_edge(START, "answer")
    .add_edge("answer", "confirm")
    .compile()
)
