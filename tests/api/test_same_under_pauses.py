"""Streams of all modes are those of plain LangGraph also while the processes of the server stand still now and then."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.streams.recheck import RECHECK_INTERVAL
from tests.live_server import PROJECT, LiveServer, StartServer

from .run_streams import collect, event_names
from .test_same_as_langgraph import STORIES, Seen, plain_story, story_on_server

NAMES = ["a chain", "a loop", "a fan-out", "a subgraph that asks", "a function with tasks", "a subgraph that fails"]


@contextlib.contextmanager
def pauses(server: LiveServer, seed: int) -> Iterator[None]:
    """Suspends the API process and the workers, one at a time, for as long as the block lasts; the API process
    sometimes for longer than it goes without asking for ends."""
    chance = random.Random(seed)
    ended = threading.Event()
    workers = server.await_workers(2)

    def pause() -> None:
        while not ended.wait(chance.uniform(0.05, 0.4)):
            pid = chance.choice([server.pid, *workers])
            os.kill(pid, signal.SIGSTOP)
            ended.wait(chance.choice([0.05, 0.3, RECHECK_INTERVAL * 1.3]))
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=pause)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


async def streams_of(client: LangGraphClient, graph_id: str, mode: Any, resumable: bool) -> list[tuple[str, Any]]:
    """What a run streams of one mode, joined in the middle or not, with what changes from run to run named."""
    seen = Seen()
    stream = client.runs.stream(
        None, graph_id, input={"n": 1}, stream_mode=mode, stream_resumable=resumable, on_completion="keep"
    )
    parts = await collect(stream)
    assert "error" not in event_names(parts)
    return [(part.event, seen(part.data)) for part in parts if part.event != "metadata"]


@pytest.mark.full
async def test_stories_are_the_same(start_server: StartServer) -> None:
    server = start_server()
    graphs = Graphs(load_project(PROJECT))
    graphs.load()

    async def compare(client: Any, name: str) -> None:
        graph_id, steps = STORIES[name]
        plain, paused = Seen(), Seen()
        expected = [plain([kind, data]) async for kind, data in plain_story(graphs, graph_id, steps)]
        found = [paused([kind, data]) async for kind, data in story_on_server(client, graph_id, steps)]
        assert found == expected

    async with get_client(url=server.url, api_key=None) as client:
        with pauses(server, 1):
            await asyncio.gather(*(compare(client, name) for name in NAMES * 2))


@pytest.mark.full
@pytest.mark.parametrize("resumable", [False, True])
async def test_each_mode_is_the_same(start_server: StartServer, resumable: bool) -> None:
    server = start_server()
    modes = [
        "values", "updates", "messages", "messages-tuple", "custom", "events", "debug", "tasks", "checkpoints",
    ]  # fmt: skip
    async with get_client(url=server.url, api_key=None) as client:
        expected = {mode: await streams_of(client, "looping", mode, resumable) for mode in modes}
        with pauses(server, 2):
            found = await asyncio.gather(
                *(streams_of(client, "looping", mode, resumable) for mode in modes for _ in range(5))
            )
    for place, streamed in enumerate(found):
        assert streamed == expected[modes[place // 5]]
