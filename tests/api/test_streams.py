"""Event streams: what each mode says, and who may watch, when, and how often."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import UnprocessableEntityError
from langgraph_sdk.schema import Run, StreamPart

from ..live_server import LiveServer
from .conftest import Gate
from .following import collect, data, human, names, read_until, until_gone, until_status
from .slow_reader import SlowReader

MODES = ["values", "messages", "messages-tuple", "tasks", "checkpoints", "updates", "events", "debug", "custom"]


def follow(client: LangGraphClient, run: Run, **options: Any) -> Any:
    """The stream of a run that is there already."""
    return client.runs.join_stream(run["thread_id"], run["run_id"], **options)


def kinds(parts: list[StreamPart]) -> set[str]:
    """The modes that events belong to, whatever graph within the graph they come from."""
    return {part.event.partition("|")[0].partition("/")[0] for part in parts} - {"metadata"}


async def stream(client: LangGraphClient, graph: str, mode: Any, **options: Any) -> list[StreamPart]:
    """All events of a new run."""
    return await collect(client.runs.stream(None, graph, stream_mode=mode, on_completion="keep", **options))


# What each mode says


@pytest.mark.parametrize("mode", MODES)
async def test_a_stream_has_events_of_its_mode_only(client: LangGraphClient, mode: Any) -> None:
    graph = "custom" if mode == "custom" else "echo"
    parts = await stream(client, graph, mode, input=human("a b"))

    assert parts[0].event == "metadata"
    assert parts[0].data["attempt"] == 1
    assert kinds(parts) == {mode.removesuffix("-tuple")}


async def test_all_modes_together_say_all_that_each_says_alone(client: LangGraphClient) -> None:
    together = names(await stream(client, "echo", MODES, input=human("a b")))

    # "messages" and "messages-tuple" would share the names of their events: the tuples win.
    for mode in {*MODES} - {"messages"}:
        alone = names(await stream(client, "echo", mode, input=human("a b")))
        assert {name: together.count(name) for name in alone} == {name: alone.count(name) for name in alone}, mode


async def test_values_begin_with_the_input_and_follow_each_step(client: LangGraphClient) -> None:
    parts = await stream(client, "chain", "values", input={"n": 1})

    assert [values["n"] for values in data(parts, "values")] == [1, 2, 12, 112]


async def test_updates_come_before_the_values_of_their_step(client: LangGraphClient) -> None:
    parts = await stream(client, "chain", ["values", "updates"], input={"n": 1})

    assert names(parts) == ["metadata", "values", *["updates", "values"] * 3]
    assert [list(update) for update in data(parts, "updates")] == [["a"], ["b"], ["c"]]


async def test_messages_grow_word_by_word(client: LangGraphClient) -> None:
    parts = await stream(client, "echo", "messages", input=human("hello big world"))

    texts = [message["content"] for (message,) in data(parts, "messages/partial")]
    assert texts == ["echo:", "echo: hello", "echo: hello big", "echo: hello big world"]
    (about,) = data(parts, "messages/metadata")
    assert next(iter(about.values()))["metadata"]["langgraph_node"] == "model"


async def test_message_tuples_carry_the_single_words(client: LangGraphClient) -> None:
    parts = await stream(client, "echo", "messages-tuple", input=human("hello big world"))

    chunks = data(parts, "messages")
    assert [chunk["content"] for chunk, _ in chunks] == ["echo:", " hello", " big", " world"]
    assert {about["langgraph_node"] for _, about in chunks} == {"model"}
    assert {chunk["type"] for chunk, _ in chunks} == {"AIMessageChunk"}


async def test_custom_events_are_what_the_node_wrote(client: LangGraphClient) -> None:
    parts = await stream(client, "custom", "custom", input={})

    assert data(parts, "custom") == [{"progress": 1}, "halfway", {"progress": 2, "list": [1, "two", None, True]}]


async def test_tasks_begin_and_end(client: LangGraphClient) -> None:
    parts = await stream(client, "chain", "tasks", input={"n": 1})

    tasks = data(parts, "tasks")
    assert [task["name"] for task in tasks] == ["a", "a", "b", "b", "c", "c"]
    assert ["result" in task for task in tasks] == [False, True] * 3


async def test_checkpoints_chain_back_to_the_input(client: LangGraphClient) -> None:
    parts = await stream(client, "chain", "checkpoints", input={"n": 1})

    checkpoints = data(parts, "checkpoints")
    ids = [each["config"]["configurable"]["checkpoint_id"] for each in checkpoints]
    parents = [each["parent_config"]["configurable"]["checkpoint_id"] for each in checkpoints[1:]]
    assert [each["metadata"]["step"] for each in checkpoints] == [-1, 0, 1, 2, 3]
    assert parents == ids[:-1]


async def test_events_of_subgraphs_are_named_by_their_place(client: LangGraphClient) -> None:
    parts = await stream(client, "subgraphed", ["updates", "values"], input=human("x"), stream_subgraphs=True)

    updates = [part for part in parts if part.event.startswith("updates")]
    assert [next(iter(part.data)) for part in updates] == ["before", "think", "confirm", "child", "after"]
    assert [part.event.partition(":")[0] for part in updates] == [
        "updates",
        "updates|child",
        "updates|child",
        "updates",
        "updates",
    ]
    assert len({part.event for part in parts if "|" in part.event}) == 2


async def test_subgraphs_are_silent_unless_asked_for(client: LangGraphClient) -> None:
    parts = await stream(client, "subgraphed", ["updates", "values"], input=human("x"))

    assert {name for name in names(parts) if "|" in name} == set()
    assert [next(iter(update)) for update in data(parts, "updates")] == ["before", "child", "after"]


async def test_words_of_a_model_in_a_subgraph_carry_its_name(client: LangGraphClient) -> None:
    parts = await stream(client, "subgraphed", "messages-tuple", input=human("x y"), stream_subgraphs=True)

    inner = [part for part in parts if part.event.startswith("messages|child:")]
    assert "".join(part.data[0]["content"] for part in inner) == "child: x y"


async def test_a_failure_is_the_last_event(client: LangGraphClient) -> None:
    parts = await stream(client, "failing", ["values", "updates"], input={})

    assert parts[-1].event == "error"
    assert parts[-1].data == {"error": "ValueError", "message": "boom from failing graph"}
    assert names(parts).count("error") == 1


async def test_an_interrupt_is_said_in_updates_and_values(client: LangGraphClient) -> None:
    parts = await stream(client, "interrupting", ["values", "updates"], input={"text": "t"})

    (update,) = [update for update in data(parts, "updates") if "__interrupt__" in update]
    assert update["__interrupt__"][0]["value"] == {"question": "ok?", "text": "t"}
    assert data(parts, "values")[-1]["__interrupt__"][0]["id"] == update["__interrupt__"][0]["id"]


async def test_what_json_does_not_know_is_said_all_the_same(client: LangGraphClient) -> None:
    parts = await stream(client, "odd", ["values", "updates"], input={"kind": "message"})

    assert data(parts, "values")[-1]["out"]["content"] == "hi"
    assert (await client.runs.wait(None, "odd", input={"kind": "big"}))["out"] == 2**70  # type: ignore[call-overload]
    assert (await client.runs.wait(None, "odd", input={"kind": "nan"}))["out"] == [None, None]  # type: ignore[call-overload]


async def test_an_unknown_mode_is_refused_before_anything_runs(client: LangGraphClient) -> None:
    with pytest.raises(UnprocessableEntityError, match="body.stream_mode"):
        await stream(client, "chain", "everything", input={})


# Resuming a stream


async def test_a_resumable_stream_is_replayed_from_any_of_its_events(client: LangGraphClient) -> None:
    parts = await stream(client, "chain", ["values", "updates"], input={"n": 1}, stream_resumable=True)
    assert all(part.id for part in parts)
    (thread,) = await client.threads.search(limit=1, sort_by="created_at", sort_order="desc")
    run: Any = {"thread_id": thread["thread_id"], "run_id": parts[0].data["run_id"]}

    assert await collect(follow(client, run, last_event_id="-1")) == parts
    for place, part in enumerate(parts):
        assert await collect(follow(client, run, last_event_id=part.id)) == parts[place + 1 :]


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

    one = await collect(follow(client, run, last_event_id="-1", stream_mode="updates"))
    two = await collect(follow(client, run, last_event_id="-1", stream_mode=["updates", "values"]))

    assert kinds(one) == {"updates"}
    assert kinds(two) == {"updates", "values"}


async def test_events_of_a_stream_that_is_not_resumable_have_no_ids(client: LangGraphClient) -> None:
    parts = await stream(client, "chain", "values", input={"n": 1})

    assert not any(part.id for part in parts)


async def test_the_stream_of_an_ended_run_is_empty_without_an_event_to_begin_at(client: LangGraphClient) -> None:
    run = await client.runs.create(None, "chain", input={}, stream_resumable=True, on_completion="keep")
    await client.runs.join(run["thread_id"], run["run_id"])

    assert await collect(follow(client, run)) == []


# Who watches


async def test_all_watchers_of_a_run_see_the_same(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(
        None, "gated", input=gate.input(), stream_mode=["updates", "custom"], stream_resumable=True, on_completion="keep"
    )
    watchers = [follow(client, run, last_event_id="-1") for _ in range(5)]
    begun = await asyncio.gather(*(read_until(watcher, "custom") for watcher in watchers))
    gate.open()
    ended = await asyncio.gather(*map(collect, watchers))

    assert names(begun[0] + ended[0]) == ["metadata", "updates", "custom", "updates"]
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

    assert data(await collect(created), "updates") == [{"hold": {"log": ["x out"]}}]
    assert seen == 'event: updates\ndata: {"hold":{"log":["x out"]}}\n\n'


async def test_a_late_watcher_of_a_resumable_run_misses_nothing(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(
        None, "gated", input=gate.input(), stream_mode=["updates", "custom"], stream_resumable=True, on_completion="keep"
    )
    early = follow(client, run, last_event_id="-1")
    begun = await read_until(early, "custom")

    late = follow(client, run, last_event_id="-1")
    assert await read_until(late, "custom") == begun
    gate.open()
    assert begun + await collect(early) == begun + await collect(late)
    assert names(await collect(follow(client, run, last_event_id="-1"))) == [
        "metadata",
        "updates",
        "custom",
        "updates",
    ]


async def test_a_watcher_that_leaves_disturbs_neither_the_run_nor_the_others(
    client: LangGraphClient, gate: Gate
) -> None:
    run = await client.runs.create(
        None, "gated", input=gate.input(), stream_mode=["updates", "custom"], stream_resumable=True, on_completion="keep"
    )
    staying = follow(client, run, last_event_id="-1")
    await read_until(staying, "custom")
    for _ in range(5):
        leaving = follow(client, run, last_event_id="-1")
        await read_until(leaving, "custom")
        await leaving.aclose()
    gate.open()

    assert data(await collect(staying), "updates") == [{"hold": {"log": ["x out"]}}]
    assert (await client.runs.join(run["thread_id"], run["run_id"]))["log"] == ["x in", "x out"]


async def test_a_watcher_may_end_the_run_with_its_leaving(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(
        None, "gated", input=gate.input(), stream_mode=["custom"], stream_resumable=True, on_completion="keep"
    )
    watcher = follow(client, run, last_event_id="-1", cancel_on_disconnect=True)
    await read_until(watcher, "custom")
    await watcher.aclose()

    await until_status(client, run, "interrupted")


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


# Slow readers: 40 MB are more than the sockets and the server hold for them

FLOOD = {"events": 400, "size": 100_000}


async def test_a_reader_that_falls_behind_is_told_and_the_run_goes_on(
    client: LangGraphClient, live_server: LiveServer
) -> None:
    run: Any = {
        "assistant_id": "flood",
        "input": FLOOD,
        "stream_mode": ["custom"],
        "on_completion": "keep",
    }
    async with SlowReader(live_server.url, "/runs/stream", run) as reader:
        name = await reader.run_id()
        thread_id = await reader.thread_of(client, name)
        await until_status(client, {"thread_id": thread_id, "run_id": name}, "success")  # type: ignore[typeddict-item]
        events = await reader.read_all()

    assert events[-1].event == "error"
    assert events[-1].data["error"] == "SlowReader"
    assert len(events) < FLOOD["events"]


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
        await until_status(client, {"thread_id": thread_id, "run_id": name}, "success")  # type: ignore[typeddict-item]
        events = await reader.read_all()

    assert [event.data["number"] for event in events if event.event == "custom"] == list(range(FLOOD["events"]))


# A graph that blocks its worker


async def test_a_stuck_graph_delays_neither_health_nor_submissions_nor_other_streams(
    client: LangGraphClient, live_server: LiveServer, gate: Gate
) -> None:
    assert len(live_server.await_workers(2)) == 2
    stuck = await client.runs.create(None, "stuck", input=gate.input(), on_completion="keep")
    await until_status(client, stuck, "running")

    async with httpx.AsyncClient(base_url=live_server.url) as http:
        assert (await http.get("/ok")).json()["ok"]
    runs = await client.runs.create_batch([{"assistant_id": "chain", "input": {"n": place}} for place in range(200)])
    for place in range(10):
        parts = await stream(client, "chain", "values", input={"n": place})
        assert data(parts, "values")[-1]["n"] == place + 111
        assert (await client.runs.wait(None, "chain", input={"n": place}))["n"] == place + 111  # type: ignore[call-overload]
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
        last: int = data(parts, "values")[-1]["n"]
        return last

    async with client:
        assert await asyncio.gather(*map(one, range(300))) == [place + 111 for place in range(300)]


async def test_a_stream_ends_when_its_run_is_cancelled(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(
        None, "gated", input=gate.input(), stream_mode=["custom"], stream_resumable=True
    )
    watcher = follow(client, run, last_event_id="-1")
    await read_until(watcher, "custom")

    await client.runs.cancel(run["thread_id"], run["run_id"])

    assert set(names(await collect(watcher))) <= {"error"}
    await until_gone(client, run)
