"""Three servers on one database, of which one alone has workers: streams, waits and cancels reach across."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError

from tests.gate import Gate
from tests.live_server import LiveServer
from tests.storage.postgres_server import address
from tests.webhook_listener import WebhookListener

from .run_streams import collect, data_of, event_names, join_stream, read_until, under_way

pytestmark = pytest.mark.full

WAIT = 60
"""Seconds within which each story has to end."""


@dataclass(frozen=True)
class Place:
    """A database that servers share, and where these have their folders."""

    schema: str
    folder: Path

    def server(self, name: str, *options: str, lease: float = 30.0) -> LiveServer:
        env = {
            "RUNYARD_DATABASE": address(),
            "RUNYARD_DATABASE_SCHEMA": self.schema,
            "RUNYARD_LEASE_SECONDS": str(lease),
        }
        return LiveServer(self.folder / name, args=options, env=env)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with new_place(tmp_path_factory.mktemp("servers")) as place:
        yield place


@contextlib.contextmanager
def new_place(folder: Path) -> Iterator[Place]:
    place = Place(f"t{uuid.uuid4().hex}", folder)
    yield place
    with psycopg.connect(address(), autocommit=True) as connection:
        connection.execute(f"drop schema if exists {place.schema} cascade")


@pytest.fixture(scope="module")
def servers(place: Place) -> Iterator[list[LiveServer]]:
    """Two without workers, and one that has them."""
    started = [place.server("one", "--role", "api"), place.server("other", "--role", "api")]
    started.append(place.server("worker", "--workers", "2"))
    try:
        for server in started:
            server.start()
        started[-1].await_workers(2)
        yield started
    finally:
        for server in started:
            server.close()


@pytest.fixture
async def one(servers: list[LiveServer]) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=servers[0].url, api_key=None) as client:
        yield client


@pytest.fixture
async def other(servers: list[LiveServer]) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=servers[1].url, api_key=None) as client:
        yield client


async def test_a_run_is_waited_for_and_joined_where_no_worker_is(
    one: LangGraphClient, other: LangGraphClient, gate: Gate
) -> None:
    answer: Any = await one.runs.wait(None, "chain", input={})
    assert answer["log"] == ["a", "b", "c"]
    thread = (await one.threads.create())["thread_id"]
    run = await one.runs.create(thread, "gated", input=gate.input())
    joins = [await under_way(client, client.runs.join(thread, run["run_id"])) for client in (one, other)]
    gate.open()
    answers: list[Any] = await asyncio.wait_for(asyncio.gather(*joins), WAIT)
    assert [answer["log"] for answer in answers] == [["x in", "x out"]] * 2


async def test_a_change_of_an_assistant_holds_for_the_next_run_on_every_server(
    one: LangGraphClient, other: LangGraphClient
) -> None:
    assistant = (await one.assistants.create("chain"))["assistant_id"]
    for model in ("a", "b", "c"):
        await one.assistants.update(assistant, config={"configurable": {"model": model}})
        for client in (one, other):
            run: Any = await client.runs.create(None, assistant, input={}, on_completion="keep")
            assert run["kwargs"]["config"]["configurable"]["model"] == model
    await one.assistants.delete(assistant)
    with pytest.raises(NotFoundError):
        await other.runs.create(None, assistant, input={})


@pytest.mark.parametrize("resumable", [False, True])
async def test_a_stream_comes_whole_and_is_joined_elsewhere(
    one: LangGraphClient, other: LangGraphClient, gate: Gate, resumable: bool
) -> None:
    thread = (await one.threads.create())["thread_id"]
    stream = one.runs.stream(
        thread, "gated", input=gate.input(), stream_mode=["updates", "custom"], stream_resumable=resumable
    )
    begun = await read_until(stream, "custom")
    (run,) = await other.runs.list(thread)
    joined = join_stream(other, run, last_event_id="-1" if resumable else None)
    first = await under_way(other, anext(joined))
    gate.open()
    parts = begun + await asyncio.wait_for(collect(stream), WAIT)
    assert event_names(parts) == ["metadata", "updates", "custom", "updates"]
    rest = [await first, *await asyncio.wait_for(collect(joined), WAIT)]
    assert data_of(rest, "updates")[-1] == {"hold": {"log": ["x out"]}}
    assert "error" not in event_names(rest)


@pytest.mark.parametrize("resumable", [False, True])
@pytest.mark.parametrize(("events", "size"), [(3000, 10), (5, 300_000)])
async def test_many_events_and_long_ones_come_whole_and_in_order(
    one: LangGraphClient, events: int, size: int, resumable: bool
) -> None:
    stream = one.runs.stream(
        None,
        "flood",
        input={"events": events, "size": size},
        stream_mode="custom",
        stream_resumable=resumable,
    )
    parts = await asyncio.wait_for(collect(stream), WAIT)
    assert [data["number"] for data in data_of(parts, "custom")] == [*range(events)]
    assert {len(data["text"]) for data in data_of(parts, "custom")} == {size}


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_run_is_cancelled_from_elsewhere(
    one: LangGraphClient, other: LangGraphClient, gate: Gate, action: Any
) -> None:
    thread = (await one.threads.create())["thread_id"]
    stream = one.runs.stream(thread, "gated", input=gate.input(), stream_mode=["updates", "custom"])
    await read_until(stream, "custom")
    (run,) = await other.runs.list(thread)
    await asyncio.wait_for(other.runs.cancel(thread, run["run_id"], wait=True, action=action), WAIT)
    rest = await asyncio.wait_for(collect(stream), WAIT)
    if action == "interrupt":
        assert "error" not in event_names(rest)
        assert (await one.runs.get(thread, run["run_id"]))["status"] == "interrupted"
    else:
        assert [error["message"] for error in data_of(rest, "error")] == ["404: Run not found"]
        assert await one.runs.list(thread) == []


async def test_a_pending_run_that_is_cancelled_elsewhere_ends_for_who_waits(
    one: LangGraphClient, other: LangGraphClient
) -> None:
    thread = (await one.threads.create())["thread_id"]
    run = await one.runs.create(thread, "chain", input={}, after_seconds=600)
    join = await under_way(one, one.runs.join(thread, run["run_id"]))
    await other.runs.cancel(thread, run["run_id"])
    await asyncio.wait_for(join, WAIT)
    assert (await one.runs.get(thread, run["run_id"]))["status"] == "interrupted"


async def test_a_stream_goes_on_at_another_server_when_its_own_is_killed(
    place: Place, servers: list[LiveServer], other: LangGraphClient, gate: Gate
) -> None:
    doomed = place.server("doomed", "--role", "api").start()
    try:
        async with get_client(url=doomed.url, api_key=None) as client:
            thread = (await client.threads.create())["thread_id"]
            stream = client.runs.stream(
                thread, "gated", input=gate.input(), stream_mode=["updates", "custom"], stream_resumable=True
            )
            begun = await read_until(stream, "custom")
            doomed.kill()
            await stream.aclose()  # type: ignore[attr-defined]
    finally:
        doomed.close()
    (run,) = await other.runs.list(thread)
    gate.open()
    rest = join_stream(other, run, last_event_id=begun[1].id)
    assert event_names(await asyncio.wait_for(collect(rest), WAIT)) == ["custom", "updates"]


async def test_a_thread_is_followed_where_its_runs_are_not_made(one: LangGraphClient, other: LangGraphClient) -> None:
    thread = (await one.threads.create())["thread_id"]
    stream = await other.threads.join_stream(thread, stream_mode=["run_modes", "state_update"])
    reading = await under_way(other, read_until(stream, "state_update"))
    await one.runs.wait(thread, "chain", input={})
    seen = await asyncio.wait_for(reading, WAIT)
    await one.threads.update_state(thread, {"last": "edited"})
    seen += await asyncio.wait_for(read_until(stream, "state_update"), WAIT)
    assert [part.data for part in seen if part.event == "metadata"][-1]["status"] == "run_done"
    states: list[Any] = data_of(seen, "state_update")
    assert [state["last"] for state in states] == ["c", "edited"]


async def test_edits_of_a_state_at_several_servers_all_count(one: LangGraphClient, other: LangGraphClient) -> None:
    thread = (await one.threads.create(graph_id="chain"))["thread_id"]
    edits = [
        client.threads.update_state(thread, {"log": [str(number)]}) for number in range(10) for client in (one, other)
    ]
    await asyncio.gather(*edits)
    values: Any = (await one.threads.get_state(thread))["values"]
    assert sorted(values["log"]) == sorted(str(number) for number in range(10) for _ in range(2))


@pytest.mark.parametrize("transport", ["sse", "websocket"])
async def test_the_thread_event_protocol_reaches_across(
    one: LangGraphClient, other: LangGraphClient, transport: Any
) -> None:
    thread_id = (await one.threads.create())["thread_id"]
    async with (
        asyncio.timeout(WAIT),
        other.threads.stream(thread_id, assistant_id="chain", transport=transport) as follower,
        one.threads.stream(thread_id, assistant_id="chain", transport=transport) as starter,
    ):
        values = aiter(follower.values)
        await starter.run.start(input={})
        assert [value["last"] async for value in values if value.get("last")][-1] == "c"
        assert (await starter.output)["last"] == "c"


async def test_a_batch_made_where_no_worker_is_is_run(servers: list[LiveServer], one: LangGraphClient) -> None:
    chain: Any = {"assistant_id": "chain", "input": {}}
    runs = await one.runs.create_batch([chain] * 50)
    assert len(runs) == 50
    servers[1].await_idle()


async def test_streams_are_complete_though_the_connections_between_servers_are_cut(one: LangGraphClient) -> None:
    streams = [
        one.runs.stream(None, "flood", input={"events": 2000, "size": 10}, stream_mode="custom", stream_resumable=True)
        for _ in range(3)
    ]
    reading = [asyncio.create_task(collect(stream)) for stream in streams]
    async with await psycopg.AsyncConnection.connect(address(), autocommit=True) as connection:
        while not all(task.done() for task in reading):
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'runyard-bus'"
            )
            await asyncio.wait(reading, timeout=0.5)
    for task in reading:
        assert [data["number"] for data in data_of(task.result(), "custom")] == [*range(2000)]


async def test_a_webhook_that_a_killed_server_was_sending_is_sent_by_another_after_its_lease(
    tmp_path: Path, listener: WebhookListener
) -> None:
    with new_place(tmp_path) as place, contextlib.ExitStack() as closing:
        sending, other = (place.server(name, "--workers", "1", lease=1.0) for name in ("sending", "other"))
        for server in (sending, other):
            closing.callback(server.close)
        listener.answering.clear()
        wanted = {"assistant_id": "chain", "input": {}, "webhook": listener.url, "on_completion": "keep"}
        run = sending.start().post("/runs", wanted)
        first = await listener.receive()
        sending.kill_group()
        listener.answering.set()
        other.start()
        second = await listener.receive()
        ids = [(body["run_id"], body["status"]) for body in (first, second)]
        assert ids == [(run["run_id"], "success")] * 2, "at least once, and it says of which run it is"
        async with (
            await psycopg.AsyncConnection.connect(address(), autocommit=True) as connection,
            asyncio.timeout(WAIT),
        ):
            left = f"select 1 from {place.schema}.deliveries"
            while await (await connection.execute(left)).fetchone() is not None:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.05)
        assert len(listener.bodies) == 2
