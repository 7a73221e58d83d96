"""Event streams: replayed, and seen by many, late, slow or leaving watchers."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.gate import Gate
from tests.live_server import LiveServer

from .ended_runs import user_message
from .run_streams import collect, data_of, event_names, join_stream, modes_of, read_until, stream_run
from .waiting import wait_for_status

pytestmark = pytest.mark.postgres(cluster=True)

# Resuming a stream


async def test_a_resumable_stream_is_replayed_from_any_of_its_events(client: LangGraphClient) -> None:
    parts = await stream_run(client, "chain", ["values", "updates"], input={"n": 1}, stream_resumable=True)
    assert all(part.id for part in parts)
    (thread,) = await client.threads.search(limit=1, sort_by="created_at", sort_order="desc")
    run: Any = {"thread_id": thread["thread_id"], "run_id": parts[0].data["run_id"]}

    assert await collect(join_stream(client, run, last_event_id="-1")) == parts
    for place, part in enumerate(parts):
        assert await collect(join_stream(client, run, last_event_id=part.id)) == parts[place + 1 :]


async def test_a_replay_can_be_narrowed_to_some_modes(client: LangGraphClient) -> None:
    run = await client.runs.create(
        None,
        "chain",
        input={"n": 1},
        stream_mode=["values", "updates", "tasks"],
        stream_resumable=True,
        on_completion="keep",
    )
    await client.runs.join(run["thread_id"], run["run_id"])

    one = await collect(join_stream(client, run, last_event_id="-1", stream_mode="updates"))
    two = await collect(join_stream(client, run, last_event_id="-1", stream_mode=["updates", "values"]))

    assert modes_of(one) == {"updates"}
    assert modes_of(two) == {"updates", "values"}


async def test_events_of_a_stream_that_is_not_resumable_have_no_ids(client: LangGraphClient) -> None:
    parts = await stream_run(client, "chain", "values", input={"n": 1})

    assert not any(part.id for part in parts)


async def test_the_stream_of_an_ended_run_is_empty_without_an_event_to_begin_at(client: LangGraphClient) -> None:
    run = await client.runs.create(None, "chain", input={}, stream_resumable=True, on_completion="keep")
    await client.runs.join(run["thread_id"], run["run_id"])

    assert await collect(join_stream(client, run)) == []


async def test_events_of_subgraphs_are_replayed_with_the_others(client: LangGraphClient) -> None:
    run = await client.runs.create(
        None,
        "subgraphed",
        input=user_message("x"),
        stream_mode=["updates", "values"],
        stream_subgraphs=True,
        stream_resumable=True,
        on_completion="keep",
    )
    await client.runs.join(run["thread_id"], run["run_id"])
    parts = await collect(join_stream(client, run, last_event_id="-1", stream_mode="updates"))

    updates = [(part.event.partition(":")[0], next(iter(part.data))) for part in parts[1:]]
    assert updates == [
        ("updates", "before"),
        ("updates|child", "think"),
        ("updates|child", "confirm"),
        ("updates", "child"),
        ("updates", "after"),
    ]


async def test_what_was_streamed_before_a_cancel_is_not_lost(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(
        None,
        "gated",
        input=gate.input(),
        stream_mode=["updates", "custom"],
        stream_resumable=True,
        on_completion="keep",
    )
    seen = await read_until(join_stream(client, run, last_event_id="-1"), "custom")
    await client.runs.cancel(run["thread_id"], run["run_id"], wait=True)

    assert await collect(join_stream(client, run, last_event_id="-1")) == seen
    state: Any = await client.threads.get_state(run["thread_id"])
    assert state["values"]["log"] == ["x in"]


async def test_a_large_event_comes_whole(client: LangGraphClient) -> None:
    text = "x" * 5_000_000
    parts = await stream_run(client, "shout", "values", input=text)

    assert data_of(parts, "values") == [text.upper()]


# Who watches


async def test_all_watchers_of_a_run_see_the_same(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(
        None,
        "gated",
        input=gate.input(),
        stream_mode=["updates", "custom"],
        stream_resumable=True,
        on_completion="keep",
    )
    watchers = [join_stream(client, run, last_event_id="-1") for _ in range(5)]
    begun = await asyncio.gather(*(read_until(watcher, "custom") for watcher in watchers))
    gate.open()
    ended = await asyncio.gather(*map(collect, watchers))

    assert event_names(begun[0] + ended[0]) == ["metadata", "updates", "custom", "updates"]
    assert all(parts == begun[0] for parts in begun)
    assert all(parts == ended[0] for parts in ended)


async def test_a_watcher_that_comes_late_sees_what_is_still_to_come(
    client: LangGraphClient, live_server: LiveServer, gate: Gate
) -> None:
    created = client.runs.stream(
        None, "gated", input=gate.input(), stream_mode=["updates", "custom"], metadata={"gate": str(gate.path)}
    )
    begun = await read_until(created, "custom")
    (thread,) = await client.threads.search(metadata={"gate": str(gate.path)})
    path = f"/threads/{thread['thread_id']}/runs/{begun[0].data['run_id']}/stream"
    async with (
        httpx.AsyncClient(base_url=live_server.url, timeout=30) as http,
        http.stream("GET", path) as late,  # once there are headers, it watches
    ):
        gate.open()
        seen = (await late.aread()).decode()

    assert data_of(await collect(created), "updates") == [{"hold": {"log": ["x out"]}}]
    assert seen.replace(": heartbeat\n\n", "") == 'event: updates\ndata: {"hold":{"log":["x out"]}}\n\n'


async def test_a_late_watcher_of_a_resumable_run_misses_nothing(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(
        None,
        "gated",
        input=gate.input(),
        stream_mode=["updates", "custom"],
        stream_resumable=True,
        on_completion="keep",
    )
    early = join_stream(client, run, last_event_id="-1")
    begun = await read_until(early, "custom")

    late = join_stream(client, run, last_event_id="-1")
    assert await read_until(late, "custom") == begun
    gate.open()
    assert begun + await collect(early) == begun + await collect(late)
    assert event_names(await collect(join_stream(client, run, last_event_id="-1"))) == [
        "metadata",
        "updates",
        "custom",
        "updates",
    ]


async def test_a_watcher_that_leaves_disturbs_neither_the_run_nor_the_others(
    client: LangGraphClient, gate: Gate
) -> None:
    run = await client.runs.create(
        None,
        "gated",
        input=gate.input(),
        stream_mode=["updates", "custom"],
        stream_resumable=True,
        on_completion="keep",
    )
    staying = join_stream(client, run, last_event_id="-1")
    await read_until(staying, "custom")
    for _ in range(5):
        leaving = join_stream(client, run, last_event_id="-1")
        await read_until(leaving, "custom")
        await leaving.aclose()
    gate.open()

    assert data_of(await collect(staying), "updates") == [{"hold": {"log": ["x out"]}}]
    assert (await client.runs.join(run["thread_id"], run["run_id"]))["log"] == ["x in", "x out"]


async def test_a_watcher_may_end_the_run_with_its_leaving(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(
        None, "gated", input=gate.input(), stream_mode=["custom"], stream_resumable=True, on_completion="keep"
    )
    watcher = join_stream(client, run, last_event_id="-1", cancel_on_disconnect=True)
    await read_until(watcher, "custom")
    await watcher.aclose()

    await wait_for_status(client, run, "interrupted")


async def test_a_silent_stream_and_a_silent_wait_are_kept_alive(live_server: LiveServer, gate: Gate) -> None:
    body = {"assistant_id": "gated", "input": gate.input(), "stream_mode": "values"}
    async with httpx.AsyncClient(base_url=live_server.url, timeout=30) as http:

        async def first_sign(path: str, sign: bytes) -> None:
            async with http.stream("POST", path, json=body) as answer:
                seen = b""
                async for chunk in answer.aiter_raw():
                    seen += chunk
                    if sign in seen:
                        return
            raise AssertionError(f"{path} ended after {seen!r}")

        await asyncio.gather(first_sign("/runs/stream", b": heartbeat\n\n"), first_sign("/runs/wait", b"\n"))
    gate.open()
