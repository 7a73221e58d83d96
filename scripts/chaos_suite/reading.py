"""Reads streams to their end, by plain HTTP and with the stock client."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
from langgraph_sdk import get_client

from scripts.chaos_suite.client import TIMEOUT, Client
from scripts.chaos_suite.stories import StreamStory

MODES = ["values", "custom"]
Started = Callable[[str], None]
"""Is told the Content-Location of the run once the stream was accepted."""


async def events_of(response: httpx.Response) -> AsyncIterator[tuple[str | None, str, Any]]:
    """(id, name, data) of each event as it comes. Raises httpx.HTTPError where the stream is cut."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line == "" and "event" in fields:
            yield fields.get("id"), fields["event"], json.loads(fields.get("data") or "null")
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


async def read_plain(
    client: Client, path: str, body: dict[str, Any], *, resume: bool, within: float, started: Started
) -> StreamStory | None:
    """POSTs and reads. `resume`: comes back after each cut, with the id of the last event.

    None when it was not accepted, as far as one can know.
    """
    story = StreamStory(run_id="", how=f"POST {path}", replayed=resume)
    until, place = time.monotonic() + within, ""
    try:
        async with client.stream("POST", path, body) as response:
            if response.status_code != 200:
                await response.aread()
                client.judged(response, "POST", path)
                return None
            place = response.headers["content-location"]
            story.run_id = place.rpartition("/")[2]
            started(place)
            async for event in events_of(response):
                story.events.append(event)
            story.in_order = True
    except httpx.HTTPError:
        if story.run_id and resume:
            await asyncio.sleep(0.2)
            await follow(client, story, place, until=until)
    return story if story.run_id else None


async def follow(client: Client, story: StreamStory, place: str, *, until: float) -> None:
    """Reads a resumable run's stream from behind what the story has, to its end. Comes back after each cut."""
    while time.monotonic() < until:
        ids = [event_id for event_id, *_ in story.events if event_id]
        try:
            async with client.stream(
                "GET", f"{place}/stream", headers={"last-event-id": ids[-1] if ids else "-1"}
            ) as response:
                if response.status_code == 200:
                    async for event in events_of(response):
                        story.events.append(event)
                    story.in_order = True
                    return
                await response.aread()
                client.judged(response, "GET", f"{place}/stream")
                if response.status_code < 500:
                    return
        except httpx.HTTPError:
            pass
        await asyncio.sleep(0.2)


async def read_with_sdk(
    client: Client, thread_id: str | None, graph: str, body: dict[str, Any], *, within: float, started: Started
) -> StreamStory | None:
    """The same with the stock client, which comes back by itself. Only for resumable runs."""
    sdk = get_client(url=client.server(), api_key=None, timeout=TIMEOUT)
    story = StreamStory(run_id="", how="the SDK's runs.stream", replayed=True, by_sdk=True)

    def created(metadata: Any) -> None:
        story.run_id = metadata["run_id"]
        thread = metadata.get("thread_id")
        started(f"/threads/{thread}/runs/{story.run_id}" if thread else f"/runs/{story.run_id}")

    fields = {name: value for name, value in body.items() if name not in ("assistant_id", "stream_mode")}
    try:
        async with asyncio.timeout(within):
            stream: Any = sdk.runs.stream  # its overloads know no dictionary of keywords
            async for part in stream(thread_id, graph, stream_mode=MODES, on_run_created=created, **fields):
                story.events.append((part.id, part.event, part.data))
        story.in_order = True
    except Exception:  # noqa: BLE001 - whatever the client raises, the stream was not ended in order
        pass
    finally:
        await sdk.aclose()
    return story if story.run_id else None
