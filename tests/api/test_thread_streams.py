"""The streams of threads: what they say of the ends of runs, and when they end."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import StreamPart

from tests.gate import UNHELD, Gate

from .run_streams import collect, data_of, event_names, join_stream, read_until, stream_run, under_way
from .waiting import wait_for_status

pytestmark = pytest.mark.postgres(cluster=True)


def ends(parts: list[StreamPart]) -> list[str]:
    """The runs that a stream says are done, in order."""
    return [part.data["run_id"] for part in parts if part.data.get("status") == "run_done"]


async def until_done(stream: AsyncIterator[StreamPart], *runs: str) -> list[StreamPart]:
    """What a stream says until all of these runs are done; it stays open."""
    seen: list[StreamPart] = []
    async for part in stream:
        seen.append(part)
        if {*runs} <= {*ends(seen)}:
            return seen
    raise AssertionError(f"the stream ended: {event_names(seen)}")


async def test_every_end_is_told_and_replayed_however_a_run_ends(
    client: LangGraphClient, thread: str, gate: Gate
) -> None:
    stream = await client.threads.join_stream(thread, last_event_id="-1")
    first = (await client.runs.create(thread, "chain", input={"n": 1}))["run_id"]
    seen = await until_done(stream, first)
    running = await client.runs.create(thread, "gated", input=gate.input())
    held = running["run_id"]
    await wait_for_status(client, running, "running")
    waiting = [
        (await client.runs.create(thread, "chain", input={"n": 1}, multitask_strategy="enqueue"))["run_id"]
        for _ in range(3)
    ]
    await client.runs.cancel(thread, waiting[0], action="interrupt")
    await client.runs.cancel(thread, waiting[1], action="rollback")
    await client.runs.delete(thread, waiting[2])
    seen += await until_done(stream, *waiting)
    await client.runs.cancel(thread, held, wait=True)
    seen += await until_done(stream, held)

    assert sorted(ends(seen)) == sorted([first, *waiting, held])
    again = await until_done(await client.threads.join_stream(thread, last_event_id="-1"), *waiting, held)
    assert sorted(ends(again)) == sorted(ends(seen))
    for place, part in enumerate(again[:-1]):
        rest = await until_done(await client.threads.join_stream(thread, last_event_id=part.id), ends(again)[-1])
        assert [each.id for each in rest] == [each.id for each in again[place + 1 :]]


async def test_a_client_that_was_away_hears_of_the_events_and_the_end(client: LangGraphClient, thread: str) -> None:
    stream = await client.threads.join_stream(thread)
    create: Any = {"stream_mode": ["updates", "values"], "stream_resumable": True}
    reading = await under_way(client, read_until(stream, "updates"))
    one = (await client.runs.create(thread, "chain", input={"n": 1}, **create))["run_id"]
    seen = await reading
    await stream.aclose()  # type: ignore[attr-defined]
    await client.runs.join(thread, one)
    two = (await client.runs.create(thread, "chain", input={"n": 2}, **create))["run_id"]
    await client.runs.join(thread, two)

    rest = await until_done(await client.threads.join_stream(thread, last_event_id=seen[-1].id), one, two)
    assert ends(rest) == [one, two]
    assert len(data_of(seen + rest, "updates")) == 6
    ids = [part.id for part in seen + rest]
    assert len({*ids}) == len(ids)


async def test_a_run_and_its_thread_give_an_event_the_same_id(client: LangGraphClient, thread: str) -> None:
    runs = []
    for _ in range(2):
        create: Any = {"stream_mode": ["updates", "custom"], "stream_resumable": True}
        runs.append(await client.runs.create(thread, "chain", input={"n": 1}, **create))
        await client.runs.join(thread, runs[-1]["run_id"])
    whole = await until_done(
        await client.threads.join_stream(thread, last_event_id="-1"), *(run["run_id"] for run in runs)
    )
    of_runs = [await collect(join_stream(client, run, last_event_id="-1")) for run in runs]
    assert [part for part in whole if part.data.get("status") != "run_done"] == of_runs[0] + of_runs[1]
    numbers = [tuple(map(int, str(part.id).split("-"))) for part in whole]
    assert numbers == [(number, 0) for number in range(1, len(whole) + 1)], "nothing is missing"


async def test_the_stream_of_a_thread_ends_with_the_assistant_that_takes_it_along(
    client: LangGraphClient, thread: str
) -> None:
    assistant = (await client.assistants.create("chain"))["assistant_id"]
    await client.runs.wait(thread, assistant, input={"n": 1})
    stream = await client.threads.join_stream(thread, last_event_id="-1")
    assert len(ends([await anext(stream)])) == 1
    await client.assistants.delete(assistant, delete_threads=True)
    assert await asyncio.wait_for(collect(stream), 60) == []


@pytest.mark.parametrize(
    "last",
    [
        "1764122711000-1",
        "9" * 5000,
        "9" * 30 + "-" + "9" * 30,
        "1-" + "9" * 17,
        "",
        "-",
        "--",
        "a-b",
        "-1-1",
        "1.5-2",
        "x" * 1000,
        "0-0",
    ],
)
async def test_any_last_event_id_is_answered(
    client: LangGraphClient, http: httpx.AsyncClient, thread: str, last: str
) -> None:
    run = await client.runs.create(thread, "chain", input={"n": 1}, stream_resumable=True)
    run_id = run["run_id"]
    await client.runs.join(thread, run_id)
    for path in (f"/threads/{thread}/runs/{run_id}/stream", f"/runs/{run_id}/stream"):
        answer = await http.get(path, headers={"last-event-id": last})
        assert answer.status_code == 200
        if last:
            assert answer.text.startswith("event: metadata"), "none of these is an id of the run: all of it is sent"
    async with http.stream("GET", f"/threads/{thread}/stream", headers={"last-event-id": last}) as stream:
        assert stream.status_code == 200


async def test_a_stream_can_be_narrowed_to_a_subgraph(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    parts = await stream_run(
        client,
        "subgraphed",
        "updates",
        input={"messages": [{"role": "user", "content": "x"}]},
        stream_subgraphs=True,
        stream_resumable=True,
    )
    (namespace,) = {part.event.partition("|")[2] for part in parts} - {""}
    path = f"/runs/{parts[0].data['run_id']}/stream"
    for within in (namespace, f"child:{uuid.uuid4()}"):
        answer = await http.get(path, params={"namespace": within}, headers={"last-event-id": "-1"})
        wanted = [part.event for part in parts if part.event.endswith(f"|{within}")]
        assert [line[7:] for line in answer.text.splitlines() if line.startswith("event: ")] == ["metadata", *wanted]


@pytest.mark.one_server  # a longer event is not passed on between servers
async def test_events_of_any_size_pass(client: LangGraphClient) -> None:
    text = "x" * 20_000_000
    parts = await stream_run(client, "shout", ["updates", "values"], input=text)
    assert data_of(parts, "values") == [text.upper()]
    assert event_names(parts)[-1] != "error"


async def test_a_join_of_a_run_that_has_just_begun_ends_with_it(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(None, "gated", input=gate.input(), on_completion="keep")
    await wait_for_status(client, run, "running")
    joined = await under_way(client, collect(join_stream(client, run)))
    await client.runs.wait(None, "gated", input=UNHELD)
    gate.open()
    assert "error" not in event_names(await joined)
