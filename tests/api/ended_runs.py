"""Runs that have ended, and what they were asked. The client's type of a run lacks its `kwargs`."""

from __future__ import annotations

from typing import Any

from langgraph_sdk.client import LangGraphClient


def user_message(text: str) -> dict[str, Any]:
    """The input of a graph that chats."""
    return {"messages": [{"role": "user", "content": text, "id": "question"}]}


async def run_and_keep(client: LangGraphClient, graph: str, **options: Any) -> Any:
    """A run without a thread that has ended and whose thread stays."""
    run = await client.runs.create(None, graph, on_completion="keep", **options)
    await client.runs.join(run["thread_id"], run["run_id"])
    return await client.runs.get(run["thread_id"], run["run_id"])


async def run_to_end(client: LangGraphClient, thread_id: str, graph: str, **options: Any) -> tuple[Any, Any]:
    """A run on a thread that has ended, and what it answered."""
    run = await client.runs.create(thread_id, graph, **options)
    answer = await client.runs.join(thread_id, run["run_id"])
    return await client.runs.get(thread_id, run["run_id"]), answer
