"""Talks about what is installed here, token by token, through a chat model that follows a script.

Input: {"messages": [...]}; name a distribution in the question ("tell me about httpx") and hear about it.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from importlib.metadata import distributions
from typing import Annotated, Any, TypedDict

import walk
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from packaging.utils import canonicalize_name


class ScriptedModel(BaseChatModel):
    """Says `script` word by word, `pause` seconds apart, whatever it is asked."""

    script: str
    pause: float = 0.02

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=self.script))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for token in re.findall(r"\s*\S+", self.script):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=token))
            if run_manager:
                await run_manager.on_llm_new_token(token, chunk=chunk)
            yield chunk
            await asyncio.sleep(self.pause)


class State(TypedDict, total=False):
    """The conversation, and what the model is to say next."""

    messages: Annotated[list[AnyMessage], add_messages]
    script: str


def research(state: State) -> State:
    """Finds out what there is to say about what the last message names, or about everything."""
    messages = state.get("messages")
    asked = set(re.findall(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*", messages[-1].text.lower() if messages else ""))
    asked = {canonicalize_name(word) for word in asked}
    installed = {canonicalize_name(found.metadata["Name"]): found for found in distributions()}
    named = sorted(asked & installed.keys())
    return {"script": " ".join(map(_about, named)) if named else _about_all(sorted(installed))}


async def tell(state: State) -> State:
    """Lets the model speak."""
    model = ScriptedModel(script=state["script"])
    return {"messages": [await model.ainvoke(state.get("messages") or [])]}


def _about(name: str) -> str:
    found = walk.walk(name)
    if not found.direct:
        return f"{name} needs nothing but Python itself, which is the best thing a package can need."
    text = f"{name} asks for {_few(found.direct)}."
    if len(found.chain) > 2:
        text += (
            f" Follow it down, and after {len(found.chain) - 1} steps you stand before {found.chain[-1]}; "
            f"{len(found.below)} packages came along."
        )
    return text


def _about_all(names: list[str]) -> str:
    walks = {name: walk.walk(name) for name in names}
    wanted: dict[str, int] = {}
    for found in walks.values():
        for name in found.direct:
            wanted[name] = wanted.get(name, 0) + 1
    popular = max(wanted, key=lambda name: wanted[name], default=names[0])
    greedy = max(names, key=lambda name: len(walks[name].below))
    alone = [name for name in names if not walks[name].direct]
    return (
        f"I looked around: {len(names)} distributions live here. "
        f"The one most asked for is {popular}, by {wanted.get(popular, 0)} of the others. "
        f"{greedy} asks for the most, {len(walks[greedy].below)} in all. "
        f"And {len(alone)} ask for nothing, {_few(alone)} among them."
    )


def _few(names: list[str], limit: int = 3) -> str:
    if len(names) == 1:
        return names[0]
    if len(names) > limit:
        return ", ".join(names[:limit]) + f" and {len(names) - limit} more"
    return ", ".join(names[:-1]) + " and " + names[-1]


graph = (
    StateGraph(State)
    .add_node("research", research)
    .add_node("tell", tell)
    .add_edge(START, "research")
    .add_edge("research", "tell")
    .add_edge("tell", END)
    .compile(name="narrator")
)
