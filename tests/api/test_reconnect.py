"""Broken connections: the stock client comes back, and misses and repeats nothing."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.disconnecting_proxy import disconnecting_proxy
from tests.gate import Gate
from tests.live_server import LiveServer, StartServer

from .run_streams import collect, data_of, event_names, read_until

pytestmark = pytest.mark.postgres(cluster=True)

WAITING = b'"waiting"'
"""What a run of the graph `gated` says before its gate."""


@pytest.mark.parametrize("with_thread", [True, False])
async def test_a_broken_stream_is_resumed_where_it_broke(
    client: LangGraphClient, live_server: LiveServer, gate: Gate, with_thread: bool
) -> None:
    thread: Any = (await client.threads.create())["thread_id"] if with_thread else None
    async with disconnecting_proxy(live_server.url, WAITING) as proxy, get_client(url=proxy.url, api_key=None) as cut:
        stream = cut.runs.stream(
            thread, "gated", input=gate.input(), stream_mode=["updates", "custom"], stream_resumable=True
        )
        begun = await read_until(stream, "custom")
        gate.open()
        parts = begun + await collect(stream)

    assert proxy.disconnected.is_set()
    assert event_names(parts) == ["metadata", "updates", "custom", "updates"]


async def test_a_broken_join_of_a_stream_is_resumed_where_it_broke(
    client: LangGraphClient, live_server: LiveServer, gate: Gate
) -> None:
    run = await client.runs.create(
        None, "gated", input=gate.input(), stream_mode=["updates", "custom"], stream_resumable=True
    )
    async with disconnecting_proxy(live_server.url, WAITING) as proxy, get_client(url=proxy.url, api_key=None) as cut:
        stream = cut.runs.join_stream(run["thread_id"], run["run_id"], last_event_id="-1")
        begun = await read_until(stream, "custom")
        gate.open()
        parts = begun + await collect(stream)

    assert proxy.disconnected.is_set()
    assert event_names(parts) == ["metadata", "updates", "custom", "updates"]


@pytest.mark.filterwarnings("ignore:Reconnecting without a Last-Event-ID")
async def test_a_broken_stream_that_is_not_resumable_still_ends_with_its_run(
    live_server: LiveServer, gate: Gate
) -> None:
    async with disconnecting_proxy(live_server.url, WAITING) as proxy, get_client(url=proxy.url, api_key=None) as cut:
        stream = cut.runs.stream(None, "gated", input=gate.input(), stream_mode=["updates", "custom"])
        reading = asyncio.create_task(collect(stream))
        await asyncio.wait_for(proxy.disconnected.wait(), 60)
        gate.open()
        parts = await reading

    assert event_names(parts)[:2] == ["metadata", "updates"]
    assert data_of(parts, "updates")[1:] in ([], [{"hold": {"log": ["x out"]}}])
    assert "error" not in event_names(parts)


@pytest.mark.filterwarnings("ignore:Request failed, attempting reconnect")
async def test_a_broken_wait_still_gets_the_answer(live_server: LiveServer, gate: Gate) -> None:
    gate.open()
    async with (
        disconnecting_proxy(live_server.url, b'"x out"') as proxy,
        get_client(url=proxy.url, api_key=None) as cut,
    ):
        answer: Any = await cut.runs.wait(None, "gated", input=gate.input())

    assert proxy.disconnected.is_set()
    assert answer["log"] == ["x in", "x out"]


@pytest.mark.full
async def test_a_stream_outlives_a_restart_of_the_server(start_server: StartServer, gate: Gate) -> None:
    server = start_server(args=("--workers", "1"), env={"RUNYARD_SHUTDOWN_GRACE": "0"})
    port = urlsplit(server.url).port
    assert port is not None
    async with get_client(url=server.url, api_key=None) as client:
        stream = client.runs.stream(
            None, "gated", input=gate.input(), stream_mode=["values", "custom"], stream_resumable=True
        )
        begun = await read_until(stream, "custom")
        assert server.stop() == 0
        server.start(port=port)
        gate.open()
        parts = begun + await collect(stream)

    assert data_of(parts, "values")[-1]["log"] == ["x in", "x out"]
    assert "error" not in event_names(parts)
    numbers = [int(str(part.id).partition("-")[0]) for part in parts]
    assert numbers == sorted(set(numbers))
