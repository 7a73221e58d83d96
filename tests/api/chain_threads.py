"""Threads on which the graph `chain` has counted, five checkpoints each time."""

from __future__ import annotations

from typing import Any

from langgraph_sdk.client import LangGraphClient


async def thread_that_counted(client: LangGraphClient, n: int = 1, **options: Any) -> str:
    """A new thread on which the chain has counted from n; `options` are those of the thread's creation."""
    thread = (await client.threads.create(**options))["thread_id"]
    await client.runs.wait(thread, "chain", input={"n": n})
    return thread


async def checkpoint_count(client: LangGraphClient, thread_id: str) -> int:
    """How many checkpoints the thread has, up to 100."""
    return len(await client.threads.get_history(thread_id, limit=100))
