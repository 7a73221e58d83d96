"""Waiting for what can only be asked for: the status of runs and threads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError
from langgraph_sdk.schema import Run, RunStatus, Thread, ThreadStatus

T = TypeVar("T")


async def wait_until(look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool]) -> T:
    """What `look` sees once that is as wanted; raises TimeoutError after 30 s."""
    async with asyncio.timeout(60):
        while not wanted(seen := await look()):  # noqa: ASYNC110 - a status can only be asked for
            await asyncio.sleep(0.02)
    return seen


async def wait_for_status(client: LangGraphClient, run: Run, *wanted: RunStatus) -> Run:
    """The run once it has one of these statuses."""
    return await wait_until(
        lambda: client.runs.get(run["thread_id"], run["run_id"]), lambda seen: seen["status"] in wanted
    )


async def wait_for_thread_status(client: LangGraphClient, thread_id: str, *wanted: ThreadStatus) -> Thread:
    """The thread once it has one of these statuses."""
    return await wait_until(lambda: client.threads.get(thread_id), lambda seen: seen["status"] in wanted)


async def wait_until_deleted(client: LangGraphClient, run: Run) -> None:
    """Returns when the run does not exist any more."""

    async def deleted() -> bool:
        try:
            await client.runs.get(run["thread_id"], run["run_id"])
        except NotFoundError:
            return True
        return False

    await wait_until(deleted, bool)
