"""Threads on which the graph `chain` has counted, five checkpoints each time."""

from __future__ import annotations

from typing import Any

from langgraph_sdk.client import LangGraphClient


async def thread_that_counted(client: LangGraphClient, n: int = 1, **options: Any) -> str:
    """A new thread on which the chain has counted from n; `options` are those of the thread's creation."""
    thread = (await client.threads.create(**options))["thread_id"]
    await client.runs.wait(thread, "chain", input={"n": n})
    return thread


async def copy_of(client: LangGraphClient, thread_id: str) -> str:
    """A copy of the thread. The client declares that copying answers nothing."""
    copy: Any = await client.threads.copy(thread_id)  # type: ignore[func-returns-value]
    copy_id: str = copy["thread_id"]
    return copy_id


async def checkpoint_count(client: LangGraphClient, thread_id: str) -> int:
    """How many checkpoints the thread has, up to 100."""
    return len(await client.threads.get_history(thread_id, limit=100))
