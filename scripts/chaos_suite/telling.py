"""The events of threads, followed by the thread event protocol while runs of them go on, and read again at the end."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx

from scripts.chaos_suite.client import Client
from scripts.chaos_suite.reading import events_of
from scripts.chaos_suite.stories import Evidence, ToldStory
from scripts.chaos_suite.visitor import STREAM_SECONDS, Visitor

CHANNELS = ["lifecycle", "custom"]
ENDS = ("completed", "failed", "interrupted")
_REPLAY_SECONDS = 10.0


async def watching(visitor: Visitor) -> None:
    """Two runs, started by commands, of a thread whose events a client follows from one server to the other."""
    thread_id = await visitor.thread()
    if thread_id is None:
        return
    story = ToldStory(thread_id=thread_id)
    visitor.evidence.told.append(story)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(_follow(visitor.client, story.live, thread_id, STREAM_SECONDS, runs=2))
        for number in range(2):
            if not await _start(visitor, story, number):
                following.cancel()
                break


async def _start(visitor: Visitor, story: ToldStory, number: int) -> bool:
    payload = {key: value for key, value in visitor.payload("steps").items() if key in ("assistant_id", "input")}
    command = {"id": number, "method": "run.start", "params": payload}
    answer = await visitor.client.ask("POST", f"/threads/{story.thread_id}/commands", command)
    if answer is None:
        visitor.evidence.threads[story.thread_id].uncertain = True
    if answer is None or answer.status_code != 200 or "result" not in answer.json():
        return False
    run = visitor.accept(payload, answer.json()["result"]["run_id"], story.thread_id)
    story.runs.append(run.run_id)
    await visitor.join(run)
    return True


async def read_again(client: Client, evidence: Evidence) -> None:
    """All that is kept of the threads' events. When all runs are at their ends."""
    await asyncio.gather(*(_read_again(client, story) for story in evidence.told))


async def _read_again(client: Client, story: ToldStory) -> None:
    events: list[dict[str, Any]] = []
    if await _follow(client, events, story.thread_id, _REPLAY_SECONDS, runs=len(story.runs)):
        story.replayed = events


async def _follow(client: Client, events: list[dict[str, Any]], thread_id: str, seconds: float, *, runs: int) -> bool:
    """Adds events up to the end of so many runs, coming back after each cut. Whether the server answered at all."""
    answered = False
    path, end = f"/threads/{thread_id}/stream/events", time.monotonic() + seconds
    while time.monotonic() < end and _ended(events) < runs:
        body = {"channels": CHANNELS, "since": events[-1]["seq"] if events else 0}
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + end - time.monotonic()):
                async with client.stream("POST", path, body) as response:
                    if response.status_code != 200:
                        await response.aread()
                        client.judged(response, "POST", path)
                    else:
                        answered = True
                        async for _, _, event in events_of(response):
                            events.append(event)
                            if _ended(events) >= runs:
                                return True
        except (httpx.HTTPError, TimeoutError):
            pass
        await asyncio.sleep(0.2)
    return answered


def _ended(events: list[dict[str, Any]]) -> int:
    return sum(is_end(event) for event in events)


def is_end(event: dict[str, Any]) -> bool:
    """Whether it tells of the end of a run, rather than of one of its graphs."""
    params = event.get("params", {})
    return event.get("method") == "lifecycle" and not params["namespace"] and params["data"]["event"] in ENDS
