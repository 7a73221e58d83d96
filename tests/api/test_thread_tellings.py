"""What runs tell of themselves by the thread event protocol, whoever starts them and however they end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.gate import Gate
from tests.live_server import LiveServer

from .run_streams import collect, join_stream
from .slow_reader import SlowReader
from .thread_tellings import ENDS, command, lifecycle, lifecycles, start, told, told_runs, told_until
from .waiting import wait_for_status

pytestmark = pytest.mark.postgres(cluster=True)

SUBSCRIPTIONS = 300
FLOOD = {"events": 400, "size": 100_000}


async def test_whoever_comes_late_is_told_the_same(http: httpx.AsyncClient, thread: str) -> None:
    early = asyncio.create_task(told_runs(told(http, thread)))
    await start(http, thread, "subgraphed", {"messages": []})
    assert await told_runs(told(http, thread)) == await early


async def test_a_question_is_told_and_its_answer_goes_on(http: httpx.AsyncClient, thread: str) -> None:
    await start(http, thread, "interrupting", {"text": "x"})
    asked = await told_runs(told(http, thread))
    (request,) = [event["params"] for event in asked if event["method"] == "input.requested"]
    await command(
        http,
        thread,
        "input.respond",
        interrupt_id=request["data"]["interrupt_id"],
        namespace=request["namespace"],
        response="yes",
    )
    answered = await told_runs(told(http, thread, since=asked[-1]["seq"]))
    assert lifecycles(asked + answered) == ["running", "interrupted", "running", "completed"]
    assert [event["params"]["data"] for event in answered if event["method"] == "values"][-1]["answer"] == "yes"


async def test_a_cancelled_run_is_interrupted(
    client: LangGraphClient, http: httpx.AsyncClient, thread: str, gate: Gate
) -> None:
    run_id = await start(http, thread, "gated", gate.input())
    async with aclosing(told(http, thread)) as events:
        await told_until(events, lambda event: event["method"] == "tasks")
        await client.runs.cancel(thread, run_id, wait=True)
        assert lifecycles(await told_runs(events)) == ["interrupted"]


async def test_runs_that_were_started_otherwise_are_told_by_their_ends(
    client: LangGraphClient, http: httpx.AsyncClient, thread: str
) -> None:
    following = asyncio.create_task(told_runs(told(http, thread), runs=3))
    await client.runs.wait(thread, "chain", input={"n": 1})
    await start(http, thread, "chain", {"n": 1})
    await client.runs.wait(thread, "two_asks", input={})
    found = await told_runs(told(http, thread), runs=3)
    assert lifecycles(found) == ["running", "completed", "running", "completed", "running", "interrupted"]
    assert found == await following
    assert sum(event["method"] == "input.requested" for event in found) == 2


async def test_a_run_that_commands_start_can_be_joined_as_others(
    client: LangGraphClient, http: httpx.AsyncClient, thread: str
) -> None:
    run_id = await start(http, thread, "chain", {"n": 1})
    assert (await client.runs.join(thread, run_id))["n"] == 112
    run = await client.runs.get(thread, run_id)
    parts = await collect(join_stream(client, run, stream_mode="values", last_event_id="-1"))
    assert [part.event for part in parts] == ["metadata", *["values"] * 4]
    assert parts[-1].data["n"] == 112


async def test_a_subscription_ends_with_its_thread(
    client: LangGraphClient, http: httpx.AsyncClient, thread: str
) -> None:
    async with aclosing(told(http, thread)) as events:
        await start(http, thread, "chain", {"n": 1})
        await told_runs(events)
        await client.threads.delete(thread)
        assert [event async for event in events] == []
    assert (await http.post(f"/threads/{thread}/stream/events", json={"channels": ["values"]})).status_code == 404


@pytest.mark.full
async def test_many_follow_one_thread(http: httpx.AsyncClient, live_server: LiveServer, thread: str) -> None:
    async with httpx.AsyncClient(
        base_url=live_server.url, timeout=60, limits=httpx.Limits(max_connections=None)
    ) as many:
        following = [asyncio.create_task(told_runs(told(many, thread))) for _ in range(SUBSCRIPTIONS)]
        await start(http, thread, "slow", {"steps": 5, "delay": 0.2})
        first, *others = await asyncio.gather(*following)
    assert lifecycles(first) == ["running", "completed"]
    assert all(found == first for found in others)


@pytest.mark.full
async def test_a_slow_reader_is_told_everything(
    client: LangGraphClient, http: httpx.AsyncClient, live_server: LiveServer, thread: str
) -> None:
    body = {"channels": ["custom", "lifecycle"]}
    async with SlowReader(live_server.url, f"/threads/{thread}/stream/events", body) as reader:
        await reader.opened()
        run_id = await start(http, thread, "flood", FLOOD)
        await wait_for_status(client, await client.runs.get(thread, run_id), "success")
        found: list[Any] = [part.data for part in await reader.read_until(lambda part: lifecycle(part.data) in ENDS)]
    numbers = [event["params"]["data"]["payload"]["number"] for event in found if event["method"] == "custom"]
    assert numbers == [*range(FLOOD["events"])]
    assert lifecycle(found[-1]) == "completed"
