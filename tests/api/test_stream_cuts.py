"""Processes that stand still or die: no stream ends in good order while events of it are missing."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import StreamPart

from runyard.runtime.streams.recheck import RECHECK_INTERVAL
from tests.gate import UNHELD, Gate
from tests.live_server import LiveServer, StartServer, poll

from .run_streams import collect, data_of, event_names, join_stream, read_until, under_way

MODES: Any = ["updates", "custom", "values"]


def running(server: LiveServer) -> int:
    """How many runs have not ended, as the database says: the API process may be suspended."""
    with closing(sqlite3.connect(server.data / "runyard.db")) as connection:
        count: int = connection.execute("select count(*) from runs where queue is not null").fetchone()[0]
        return count


async def suspended(server: LiveServer, pid: int, meanwhile: Any) -> None:
    """Holds a process up until all runs have ended, and until it is time to look for ends."""
    os.kill(pid, signal.SIGSTOP)
    try:
        meanwhile()
        await asyncio.to_thread(poll, lambda: running(server) == 0)
        time.sleep(RECHECK_INTERVAL * 1.2)  # noqa: ASYNC251 - its clock goes on, which is what the test is about
    finally:
        os.kill(pid, signal.SIGCONT)


async def read_on(begun: list[StreamPart], stream: AsyncIterator[StreamPart]) -> list[StreamPart]:
    return begun + await collect(stream)


def is_whole(parts: list[StreamPart]) -> bool:
    return data_of(parts, "values")[-1]["log"][-2:] == ["x in", "x out"] and "error" not in event_names(parts)


@pytest.mark.full
async def test_a_suspension_of_the_api_process_cuts_no_stream(start_server: StartServer, gate: Gate) -> None:
    server = start_server()
    async with get_client(url=server.url, api_key=None) as client:
        streams: list[Any] = []
        for resumable in (False, True):
            options: Any = {"stream_mode": MODES, "stream_resumable": resumable, "on_completion": "keep"}
            streams += [client.runs.stream(None, "gated", input=gate.input(), **options) for _ in range(3)]
            run = await client.runs.create(None, "gated", input=gate.input(), **options)
            streams.append(client.runs.join_stream(run["thread_id"], run["run_id"], last_event_id="-1"))
        thread = (await client.threads.create())["thread_id"]
        await client.runs.wait(thread, "chain", input={})
        on_thread = await client.threads.join_stream(thread, last_event_id="-1")
        await anext(on_thread)  # that run is done; the stream is there
        await client.runs.create(thread, "gated", input=gate.input(), stream_mode=MODES)
        # One that is joined late has no more events to come before the gate is opened.
        begun: list[list[StreamPart]] = [
            [] if place == 3 else await read_until(stream, "custom") for place, stream in enumerate(streams)
        ]
        late = await under_way(client, collect(streams[3]))
        seen = await read_until(on_thread, "custom")
        await asyncio.to_thread(poll, lambda: server.metrics()["queue"]["running"] == len(streams) + 1)

        await suspended(server, server.pid, gate.open)

        whole = await asyncio.gather(*map(read_on, begun[:3] + begun[4:], streams[:3] + streams[4:]))
        assert all(map(is_whole, whole)), [event_names(parts) for parts in whole]
        assert is_whole(await late)
        async for part in on_thread:
            seen.append(part)
            if part.data.get("status") == "run_done":
                break
        assert is_whole(seen)


async def end_of_both(client: LangGraphClient, gate: Gate, server: LiveServer) -> tuple[list[StreamPart], ...]:
    """Streams of a run that is resumable, and of one that is not, whose worker dies as it ends."""
    begun = []
    streams: list[Any] = [
        client.runs.stream(
            None, "gated", input=gate.input(), stream_mode=MODES, stream_resumable=resumable, on_completion="keep"
        )
        for resumable in (True, False)
    ]
    for stream in streams:
        begun.append(await read_until(stream, "custom"))
    (worker,) = server.workers()

    def end() -> None:
        gate.open()
        poll(lambda: running(server) == 0)
        os.kill(worker, signal.SIGSTOP)  # what it has sent arrives all the same

    await suspended(server, server.pid, end)
    os.kill(worker, signal.SIGKILL)
    resumable, plain = await asyncio.gather(*map(read_on, begun, streams))
    return resumable, plain


@pytest.mark.full
async def test_the_end_of_a_run_whose_worker_died_with_it_is_whole_or_said_to_be_cut(
    start_server: StartServer, gate: Gate
) -> None:
    server = start_server(args=("--workers", "1"))
    async with get_client(url=server.url, api_key=None) as client:
        resumable, plain = await end_of_both(client, gate, server)
    assert is_whole(resumable)
    assert is_whole(plain) or data_of(plain, "error")[0]["error"] == "StreamCut"


@pytest.mark.full
async def test_streams_outlive_the_replacement_of_their_workers(start_server: StartServer, gate: Gate) -> None:
    server = start_server()
    async with get_client(url=server.url, api_key=None) as client:
        thread = (await client.threads.create())["thread_id"]
        on_thread = await client.threads.join_stream(thread)
        reading = await under_way(client, read_until(on_thread, "never"))
        runs = [
            await client.runs.create(
                None, "gated", input=gate.input(), stream_mode=MODES, stream_resumable=resumable, on_completion="keep"
            )
            for resumable in (True, False)
        ]
        joined = [await under_way(client, collect(join_stream(client, run, last_event_id="-1"))) for run in runs]
        await asyncio.to_thread(poll, lambda: server.metrics()["queue"]["running"] == 2)
        before = server.workers()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(poll, lambda: len({*server.workers()} - {*before}) == 2)
        await asyncio.to_thread(poll, lambda: server.metrics()["queue"]["running"] == 2)
        gate.open()
        for parts in await asyncio.gather(*joined):
            assert is_whole(parts)
        run = await client.runs.create(thread, "gated", input=UNHELD, stream_mode=MODES)
        await client.runs.join(thread, run["run_id"])
        await client.threads.delete(thread)
        with pytest.raises(AssertionError, match="metadata") as ended:
            await reading
        assert str(ended.value).count("values") == 3
