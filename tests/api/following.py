"""Following runs with the stock client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError
from langgraph_sdk.schema import Run, RunStatus, StreamPart, ThreadStatus


def human(text: str) -> dict[str, Any]:
    """The input of a graph that chats."""
    return {"messages": [{"role": "user", "content": text, "id": "question"}]}


async def collect(stream: AsyncIterator[StreamPart]) -> list[StreamPart]:
    """All that a stream says until it ends."""
    return [part async for part in stream]


def names(parts: Iterable[StreamPart]) -> list[str]:
    return [part.event for part in parts]


def data(parts: Iterable[StreamPart], event: str) -> list[Any]:
    """The data of all events of that name."""
    return [part.data for part in parts if part.event == event]


async def read_until(stream: AsyncIterator[StreamPart], event: str) -> list[StreamPart]:
    """What a stream says up to the first event of that name; the stream stays open."""
    seen = []
    async for part in stream:
        seen.append(part)
        if part.event == event:
            return seen
    raise AssertionError(f"the stream ended without {event!r}: {names(seen)}")


async def until_status(client: LangGraphClient, run: Run, *wanted: RunStatus) -> Run:
    """The run once it has one of these statuses."""
    async with asyncio.timeout(30):
        while (seen := await client.runs.get(run["thread_id"], run["run_id"]))["status"] not in wanted:
            await asyncio.sleep(0.02)
    return seen


async def until_thread(client: LangGraphClient, thread_id: str, *wanted: ThreadStatus) -> Any:
    """The thread once it has one of these statuses."""
    async with asyncio.timeout(30):
        while (seen := await client.threads.get(thread_id))["status"] not in wanted:
            await asyncio.sleep(0.02)
    return seen


async def until_gone(client: LangGraphClient, run: Run) -> None:
    """Returns when the run does not exist any more."""
    async with asyncio.timeout(30):
        while True:
            try:
                await client.runs.get(run["thread_id"], run["run_id"])
            except NotFoundError:
                return
            await asyncio.sleep(0.02)
