"""A graph whose node uses what the application's lifespan opens."""

from __future__ import annotations

import os
from typing import TypedDict

import resources
from langgraph.graph import END, START, StateGraph
from langgraph_sdk import get_client


class State(TypedDict, total=False):
    text: str
    row: str
    pool_of: int
    pid: int
    user: str
    assistants: int


async def answer(state: State) -> State:
    return {"text": f"{state.get('text', '')}!"}


async def fetch(state: State) -> State:
    pool = resources.pool
    assert pool is not None, "the lifespan has not opened the pool"
    return {"row": await pool.fetch(), "pool_of": pool.pid, "pid": os.getpid()}


async def ask(state: State) -> State:
    """Asks its own server: the application, and an operation."""
    client = get_client()
    who = await client.http.get("/whoami")
    return {"user": who["user"], "assistants": await client.assistants.count()}


graph = StateGraph(State).add_node(answer).add_edge(START, "answer").add_edge("answer", END).compile(name="agent")
pooled = StateGraph(State).add_node(fetch).add_edge(START, "fetch").add_edge("fetch", END).compile(name="pooled")
asking = StateGraph(State).add_node(ask).add_edge(START, "ask").add_edge("ask", END).compile(name="asking")
