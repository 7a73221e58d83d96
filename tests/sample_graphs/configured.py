"""Graphs that show or depend on how they are called."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from typing_extensions import TypedDict


class Context(TypedDict, total=False):
    model_name: str
    temperature: float


class Seen(TypedDict, total=False):
    seen: Any


async def look(state: Seen, config: RunnableConfig, runtime: Runtime[Context]) -> Any:
    own = config["configurable"]
    return {
        "seen": {
            "context": runtime.context,
            "configurable": {key: own[key] for key in ("model_name", "temperature", "extra") if key in own},
            "ids": {key: own.get(key) for key in ("thread_id", "run_id", "assistant_id", "graph_id")},
            "tags": config.get("tags"),
            "recursion_limit": config.get("recursion_limit"),
            "metadata": {key: config["metadata"].get(key) for key in ("k", "run_attempt", "run_id")},
        }
    }


node: Any = look  # LangGraph's types know no node that takes both a config and a runtime
configured = StateGraph(Seen, context_schema=Context).add_node("look", node).add_edge(START, "look").compile()


async def reveal(state: Seen, config: RunnableConfig, runtime: Runtime[Any]) -> Any:
    own = {key: value for key, value in config["configurable"].items() if not key.startswith("__")}
    private = [key for key in config["configurable"] if key == "__pregel_forged"]
    seen = {"configurable": own, "metadata": dict(config["metadata"]), "context": runtime.context, "private": private}
    return {"seen": seen}


open_node: Any = reveal  # as above
revealing = StateGraph(Seen).add_node("reveal", open_node).add_edge(START, "reveal").compile()


class Out(TypedDict, total=False):
    out: str


def factory(config: RunnableConfig) -> Any:
    flavour = (config.get("configurable") or {}).get("flavour", "plain")

    async def serve(state: Out) -> Any:
        return {"out": f"flavour={flavour}"}

    return StateGraph(Out).add_node(f"serve_{flavour}", serve).add_edge(START, f"serve_{flavour}").compile()


async def async_factory() -> Any:
    return factory({"configurable": {"flavour": "async"}})


LENT: list[str] = []


@asynccontextmanager
async def lent(config: RunnableConfig) -> AsyncIterator[Any]:
    LENT.append("open")
    yield factory(config)
    LENT.append("closed")
