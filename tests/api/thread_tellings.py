"""Threads by the thread event protocol, as plain HTTP has it: commands, and events up to a certain one."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import httpx

Event = dict[str, Any]
CHANNELS = ("values", "updates", "messages", "lifecycle", "tasks", "input", "custom", "tools")
ENDS = ("completed", "failed", "interrupted")


async def command(http: httpx.AsyncClient, thread: str, method: str, **params: Any) -> Any:
    """What the command results in."""
    answer = await http.post(f"/threads/{thread}/commands", json={"id": 1, "method": method, "params": params})
    assert answer.json().get("type") == "success", answer.text
    return answer.json()["result"]


async def start(http: httpx.AsyncClient, thread: str, graph: str, given: Any) -> str:
    """Starts a run; returns its id."""
    run_id: str = (await command(http, thread, "run.start", assistant_id=graph, input=given))["run_id"]
    return run_id


async def told(http: httpx.AsyncClient, thread: str, **asked: Any) -> AsyncGenerator[Event, None]:
    """The events of a subscription, until it ends."""
    body = {"channels": CHANNELS, **asked}
    async with http.stream("POST", f"/threads/{thread}/stream/events", json=body) as answer:
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


async def told_until(events: AsyncIterator[Event], last: Callable[[Event], bool]) -> list[Event]:
    """Those up to the one that is the last."""
    found: list[Event] = []
    async for event in events:
        found.append(event)
        if last(event):
            return found
    raise AssertionError(f"the subscription ended after {len(found)} events")


async def told_runs(events: AsyncIterator[Event], runs: int = 1) -> list[Event]:
    """Those up to the end of so many runs."""
    left = [None] * runs

    def last(event: Event) -> bool:
        if lifecycle(event) in ENDS:
            left.pop()
        return not left

    return await told_until(events, last)


def lifecycle(event: Event) -> str | None:
    """What befell the graph itself; None for other events."""
    if event["method"] != "lifecycle" or event["params"]["namespace"]:
        return None
    what: str = event["params"]["data"]["event"]
    return what


def lifecycles(events: list[Event]) -> list[str]:
    """All that befell the graph itself."""
    return [what for event in events if (what := lifecycle(event)) is not None]
