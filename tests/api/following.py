"""Following runs with the stock client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError
from langgraph_sdk.schema import Run, RunStatus, StreamPart, Thread, ThreadStatus

T = TypeVar("T")


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


def kinds(parts: Iterable[StreamPart]) -> set[str]:
    """The modes that events belong to, whatever graph within the graph they come from."""
    return {part.event.partition("|")[0].partition("/")[0] for part in parts} - {"metadata"}


async def stream(client: LangGraphClient, graph: str, mode: Any, **options: Any) -> list[StreamPart]:
    """All events of a new run without a thread."""
    return await collect(client.runs.stream(None, graph, stream_mode=mode, on_completion="keep", **options))


def follow(client: LangGraphClient, run: Run, **options: Any) -> Any:
    """The stream of a run that is there already."""
    return client.runs.join_stream(run["thread_id"], run["run_id"], **options)


async def kept(client: LangGraphClient, graph: str, **options: Any) -> Run:
    """A run without a thread that has ended and whose thread stays."""
    run = await client.runs.create(None, graph, on_completion="keep", **options)
    await client.runs.join(run["thread_id"], run["run_id"])
    return await client.runs.get(run["thread_id"], run["run_id"])


async def finished(client: LangGraphClient, thread: str, graph: str, **options: Any) -> Any:
    """A run on a thread that has ended, and what it answered."""
    run = await client.runs.create(thread, graph, **options)
    answer = await client.runs.join(thread, run["run_id"])
    return await client.runs.get(thread, run["run_id"]), answer


async def read_until(stream: AsyncIterator[StreamPart], event: str) -> list[StreamPart]:
    """What a stream says up to the first event of that name; the stream stays open."""
    seen = []
    async for part in stream:
        seen.append(part)
        if part.event == event:
            return seen
    raise AssertionError(f"the stream ended without {event!r}: {names(seen)}")


async def until(look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool]) -> T:
    """What `look` sees once that is as wanted."""
    async with asyncio.timeout(30):
        while not wanted(seen := await look()):  # noqa: ASYNC110 - a status can only be asked for
            await asyncio.sleep(0.02)
    return seen


async def until_status(client: LangGraphClient, run: Run, *wanted: RunStatus) -> Run:
    """The run once it has one of these statuses."""
    return await until(lambda: client.runs.get(run["thread_id"], run["run_id"]), lambda seen: seen["status"] in wanted)


async def until_thread(client: LangGraphClient, thread_id: str, *wanted: ThreadStatus) -> Thread:
    """The thread once it has one of these statuses."""
    return await until(lambda: client.threads.get(thread_id), lambda seen: seen["status"] in wanted)


async def until_gone(client: LangGraphClient, run: Run) -> None:
    """Returns when the run does not exist any more."""

    async def gone() -> bool:
        try:
            await client.runs.get(run["thread_id"], run["run_id"])
        except NotFoundError:
            return True
        return False

    await until(gone, bool)
