"""Threads on which the chain has counted, five checkpoints each time."""

from __future__ import annotations

from typing import Any

from langgraph_sdk.client import LangGraphClient


async def counted(client: LangGraphClient, n: int = 1, **options: Any) -> str:
    """A thread on which the chain has counted from n."""
    thread = (await client.threads.create(**options))["thread_id"]
    await client.runs.wait(thread, "chain", input={"n": n})
    return thread


async def length(client: LangGraphClient, thread: str) -> int:
    """How many checkpoints the thread has."""
    return len(await client.threads.get_history(thread, limit=100))
