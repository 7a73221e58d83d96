"""Event streams under load: readers that are too slow, many streams at once, and a worker that is stuck."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.gate import Gate
from tests.live_server import LiveServer, poll

from .batches import batch_payload
from .run_streams import collect, data_of, event_names, join_stream, read_until, stream_run, under_way
from .slow_reader import SlowReader
from .waiting import wait_for_status, wait_until_deleted

pytestmark = pytest.mark.full

# Slow readers: 40 MB are more than the sockets hold for them, 90 MB more than the server does too

FLOOD = {"events": 400, "size": 100_000}
LARGE_FLOOD = {"events": 900, "size": 100_000}


def successes(server: LiveServer) -> int:
    """The successful runs of which the API process has heard."""
    count: int = server.metrics()["runs"].get("success", 0)
    return count


async def test_a_reader_that_falls_behind_is_told_and_the_run_goes_on(
    client: LangGraphClient, live_server: LiveServer
) -> None:
    run: Any = {
        "assistant_id": "flood",
        "input": LARGE_FLOOD,
        "stream_mode": ["custom"],
        "on_completion": "keep",
    }
    before = successes(live_server)
    async with SlowReader(live_server.url, "/runs/stream", run) as reader:
        await reader.run_id()
        # Not the run's status: what its worker has sent may still be on its way to the API process then.
        await asyncio.to_thread(poll, lambda: successes(live_server) > before, within=60)
        events = await reader.read_all()

    assert events[-1].event == "error"
    assert events[-1].data["error"] == "SlowReader"
    assert "join" in events[-1].data["message"]
    assert len(events) < LARGE_FLOOD["events"]


async def test_a_slow_reader_of_a_resumable_run_gets_everything_in_order(
    client: LangGraphClient, live_server: LiveServer
) -> None:
    run: Any = {
        "assistant_id": "flood",
        "input": FLOOD,
        "stream_mode": ["custom"],
        "stream_resumable": True,
        "on_completion": "keep",
    }
    async with SlowReader(live_server.url, "/runs/stream", run) as reader:
        name = await reader.run_id()
        thread_id = await reader.thread_of(client, name)
        started: Any = {"thread_id": thread_id, "run_id": name}
        await wait_for_status(client, started, "success")
        events = await reader.read_all()

    assert [event.data["number"] for event in events if event.event == "custom"] == list(range(FLOOD["events"]))


# A graph that blocks its worker


async def test_a_stuck_graph_delays_neither_health_nor_submissions_nor_other_streams(
    client: LangGraphClient, live_server: LiveServer, gate: Gate
) -> None:
    live_server.await_workers(2)
    stuck = await client.runs.create(None, "stuck", input=gate.input(), on_completion="keep")
    await wait_for_status(client, stuck, "running")

    async with httpx.AsyncClient(base_url=live_server.url, timeout=60) as http:
        assert (await http.get("/ok")).json()["ok"]
    runs = await client.runs.create_batch(batch_payload("chain", ({"n": place} for place in range(200))))
    for place in range(10):
        parts = await stream_run(client, "chain", "values", input={"n": place})
        assert data_of(parts, "values")[-1]["n"] == place + 111
        answer: Any = await client.runs.wait(None, "chain", input={"n": place})
        assert answer["n"] == place + 111
    answers = [await client.runs.join(run["thread_id"], run["run_id"]) for run in runs]
    assert [answer["n"] for answer in answers] == [place + 111 for place in range(200)]

    # All of that while the worker of the stuck run could do nothing.
    assert (await client.runs.get(stuck["thread_id"], stuck["run_id"]))["status"] == "running"
    gate.open()
    assert (await client.runs.join(stuck["thread_id"], stuck["run_id"]))["log"] == ["free"]


async def test_three_hundred_streams_at_once_all_complete(live_server: LiveServer) -> None:
    client = get_client(url=live_server.url, api_key=None)
    client.http.client = httpx.AsyncClient(
        base_url=live_server.url, timeout=60, limits=httpx.Limits(max_connections=None)
    )

    async def one(place: int) -> int:
        parts = await collect(client.runs.stream(None, "chain", input={"n": place}))
        last: int = data_of(parts, "values")[-1]["n"]
        return last

    async with client:
        assert await asyncio.gather(*map(one, range(300))) == [place + 111 for place in range(300)]


@pytest.mark.parametrize("end", ["the run is deleted", "the run is rolled back", "the thread is deleted"])
async def test_who_follows_what_is_taken_away_is_told(client: LangGraphClient, gate: Gate, end: str) -> None:
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(thread, "gated", input=gate.input(), stream_mode=["custom"], stream_resumable=True)
    watcher = join_stream(client, run, last_event_id="-1")
    await read_until(watcher, "custom")
    joiner = await under_way(client, client.runs.join(thread, run["run_id"]))

    if end == "the run is deleted":
        await client.runs.delete(thread, run["run_id"])
    elif end == "the run is rolled back":
        await client.runs.cancel(thread, run["run_id"], action="rollback")
    else:
        await client.threads.delete(thread)

    assert event_names(await collect(watcher)) == ["error"]
    assert list(await joiner) == ["__error__"]


async def test_a_stream_ends_when_its_run_is_cancelled(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(None, "gated", input=gate.input(), stream_mode=["custom"], stream_resumable=True)
    watcher = join_stream(client, run, last_event_id="-1")
    await read_until(watcher, "custom")

    await client.runs.cancel(run["thread_id"], run["run_id"])

    assert set(event_names(await collect(watcher))) <= {"error"}
    await wait_until_deleted(client, run)
