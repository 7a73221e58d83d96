"""Reading the event streams of runs with the stock client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable
from typing import Any, TypeVar, cast

import httpx
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import Run, StreamPart

T = TypeVar("T")
WAITS = ("/join", "/wait")
"""Ends of paths whose answers begin before there is anything to answer."""


async def collect(stream: AsyncIterator[StreamPart]) -> list[StreamPart]:
    """All that a stream says until it ends."""
    return [part async for part in stream]


async def read_until(stream: AsyncIterator[StreamPart], event: str) -> list[StreamPart]:
    """What a stream says up to the first event of that name; the stream stays open."""
    seen = []
    async for part in stream:
        seen.append(part)
        if part.event == event:
            return seen
    raise AssertionError(f"the stream ended without {event!r}: {event_names(seen)}")


async def under_way(client: LangGraphClient, reading: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A reading of a stream, or a wait for a run that goes on, once the server has begun to answer: from then on
    nothing passes it by."""
    answered = asyncio.Event()

    async def hear(response: httpx.Response) -> None:
        if response.headers["content-type"].startswith("text/event-stream") or response.url.path.endswith(WAITS):
            answered.set()

    hooks = client.http.client.event_hooks
    client.http.client.event_hooks = {**hooks, "response": [*hooks["response"], hear]}
    try:
        task = asyncio.create_task(reading)
        await asyncio.wait_for(answered.wait(), 60)
    finally:
        client.http.client.event_hooks = hooks
    return task


async def stream_run(client: LangGraphClient, graph: str, mode: Any, **options: Any) -> list[StreamPart]:
    """All events of a new run without a thread."""
    return await collect(client.runs.stream(None, graph, stream_mode=mode, on_completion="keep", **options))


def join_stream(client: LangGraphClient, run: Run, **options: Any) -> AsyncGenerator[StreamPart, None]:
    """The stream of a run that is there already."""
    stream = client.runs.join_stream(run["thread_id"], run["run_id"], **options)
    return cast(AsyncGenerator[StreamPart, None], stream)  # the client declares less than it gives: no aclose


def event_names(parts: Iterable[StreamPart]) -> list[str]:
    return [part.event for part in parts]


def data_of(parts: Iterable[StreamPart], event: str) -> list[Any]:
    """The data of all events of that name."""
    return [part.data for part in parts if part.event == event]


def modes_of(parts: Iterable[StreamPart]) -> set[str]:
    """The modes that events belong to, whatever graph within the graph they come from."""
    return {part.event.partition("|")[0].partition("/")[0] for part in parts} - {"metadata"}
