"""A chat model without a network: it repeats the last message, one word a token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult


class ScriptedModel(BaseChatModel):
    """Answers `<prefix> <last message>`, with the id `<name>-<number of messages it was given>`."""

    prefix: str = "echo:"
    speaker: str = "ai"

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _words(self, messages: list[BaseMessage]) -> list[AIMessageChunk]:
        words = f"{self.prefix} {messages[-1].text if messages else ''}".split()
        identity = f"{self.speaker}-{len(messages)}"
        chunks = [
            AIMessageChunk(content=word if place == 0 else f" {word}", id=identity) for place, word in enumerate(words)
        ]
        chunks[-1].chunk_position = "last"
        return chunks

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        words = self._words(messages)
        whole = AIMessage(content="".join(str(word.content) for word in words), id=words[0].id)
        return ChatResult(generations=[ChatGeneration(message=whole)])

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for word in self._words(messages):
            chunk = ChatGenerationChunk(message=word)
            if run_manager:
                run_manager.on_llm_new_token(word.content, chunk=chunk)
            yield chunk

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for word in self._words(messages):
            chunk = ChatGenerationChunk(message=word)
            if run_manager:
                await run_manager.on_llm_new_token(word.content, chunk=chunk)
            yield chunk
