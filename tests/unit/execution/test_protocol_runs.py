"""What runs that speak the thread event protocol write into the logs of their threads."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.scope import Scope
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from runyard.runtime.streams.events import EventLog
from runyard.runtime.streams.protocol_events import plain_event
from tests.unit.graph_runner import GraphRunner, answer_of

from .one_worker import new_run, working
from .protocol_runs import data_of, execute, new_thread, on, said_on, speaking_run
from .told_runs import HELLO, said_by


async def test_a_run_tells_its_beginning_all_its_values_and_its_end(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path
) -> None:
    said = await said_by(storage, graphs, tmp_path, "chain", {"n": 1})
    assert data_of(said, "lifecycle") == [
        {"event": "running", "graph_name": "chain"},
        {"event": "completed", "graph_name": "chain"},
    ]
    assert [said[0]["method"], said[-1]["method"]] == ["lifecycle", "lifecycle"]
    assert [values["n"] for values in data_of(said, "values")] == [1, 2, 12, 112]
    assert [(update["node"], update["values"]["n"]) for update in data_of(said, "updates")] == [
        ("a", 1),
        ("b", 10),
        ("c", 100),
    ]
    assert [task["name"] for task in data_of(said, "tasks")] == ["a", "a", "b", "b", "c", "c"]
    checkpoints = data_of(said, "checkpoints")
    assert [(each["step"], each["source"]) for each in checkpoints] == [
        (-1, "input"),
        (0, "loop"),
        (1, "loop"),
        (2, "loop"),
        (3, "loop"),
    ]
    assert [each.get("parent_id") for each in checkpoints[1:]] == [each["id"] for each in checkpoints[:-1]]


async def test_a_message_is_told_as_its_content_blocks_and_has_its_id_in_the_values(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path
) -> None:
    said = await said_by(storage, graphs, tmp_path, "echo", HELLO)
    start, *rest = data_of(said, "messages")
    assert start["event"] == "message-start"
    assert start["role"] == "ai"
    assert rest == [
        {"event": "content-block-start", "index": 0, "content": {"type": "text", "text": ""}},
        *(
            {"event": "content-block-delta", "index": 0, "delta": {"type": "text-delta", "text": text}}
            for text in ("echo:", " hi", " there")
        ),
        {"event": "content-block-finish", "index": 0, "content": {"type": "text", "text": "echo: hi there"}},
        {"event": "message-finish"},
    ]
    assert data_of(said, "values")[-1]["messages"][-1]["id"] == start["id"]


async def test_a_message_that_a_node_returns_whole_is_told_as_one_block(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path
) -> None:
    said = await said_by(storage, graphs, tmp_path, "spending", HELLO)
    assert [each["event"] for each in data_of(said, "messages")] == [
        "message-start",
        "content-block-start",
        "content-block-delta",
        "content-block-finish",
        "message-finish",
    ]


async def test_a_subgraph_is_told_in_its_namespace_and_what_it_asks_once(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path
) -> None:
    said = await said_by(storage, graphs, tmp_path, "subgraphed", {**HELLO, "ask": True})
    (started,) = [each for each in data_of(said, "lifecycle") if each["event"] == "started"]
    child = started["namespace"]
    assert started == {
        "event": "started",
        "namespace": child,
        "graph_name": "child",
        "trigger_call_id": child[0].partition(":")[2],
    }
    assert data_of(said, "lifecycle", child) == [started, {"event": "interrupted", "graph_name": "child"}]
    assert data_of(said, "lifecycle", [])[-1] == {"event": "interrupted", "graph_name": "subgraphed"}
    assert data_of(said, "messages", child)
    assert data_of(said, "messages", []) == []
    (asked,) = [each for each in said if each["method"] == "input.requested"]
    assert asked["params"]["namespace"] == child
    assert asked["params"]["data"]["payload"] == {"confirm": "proceed?"}


async def test_all_questions_of_a_step_are_told(storage: SqliteStorage, graphs: Graphs, tmp_path: Path) -> None:
    said = await said_by(storage, graphs, tmp_path, "two_asks", {})
    asked = data_of(said, "input.requested")
    assert sorted(each["payload"] for each in asked) == ["left?", "right?"]
    assert len({each["interrupt_id"] for each in asked}) == 2
    assert [each["method"] for each in said][-3:] == ["input.requested", "input.requested", "lifecycle"]


async def test_a_failure_is_told_with_its_error(storage: SqliteStorage, graphs: Graphs, tmp_path: Path) -> None:
    said = await said_by(storage, graphs, tmp_path, "failing", {}, status="error")
    assert data_of(said, "lifecycle")[-1] == {
        "event": "failed",
        "graph_name": "failing",
        "error": "boom from failing graph",
    }


async def test_what_a_node_writes_is_told_as_custom_events(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path
) -> None:
    said = await said_by(storage, graphs, tmp_path, "custom", {})
    assert data_of(said, "custom")[:2] == [{"payload": {"progress": 1}}, {"payload": "halfway"}]


async def test_events_are_numbered_across_the_runs_of_a_thread(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path
) -> None:
    async with working(storage, graphs, tmp_path) as heard:
        thread_id = await new_thread(storage)
        for _ in range(2):
            await execute(storage, heard, speaking_run("chain", thread_id, input={"n": 1}))
        said = await said_on(storage, thread_id)  # which looks at the numbers
    assert Counter(each["event"] for each in data_of(said, "lifecycle")) == {"running": 2, "completed": 2}


async def test_of_other_runs_their_ends_are_told(storage: SqliteStorage, graphs: Graphs, tmp_path: Path) -> None:
    async with working(storage, graphs, tmp_path) as heard:
        thread_id = await new_thread(storage)
        await execute(storage, heard, on(thread_id, new_run("chain", input={"n": 1})))
        await execute(storage, heard, on(thread_id, new_run("two_asks", stream_mode=["values", "updates"])))
        said = await said_on(storage, thread_id)
    assert [each["method"] for each in said] == [
        *("lifecycle", "values", "lifecycle"),
        *("lifecycle", "values", "input.requested", "input.requested", "lifecycle"),
    ]
    assert data_of(said, "values")[0]["n"] == 112
    assert [each["event"] for each in data_of(said, "lifecycle")] == ["running", "completed", "running", "interrupted"]


async def test_other_streams_show_what_they_know_of_such_a_run(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path
) -> None:
    async with working(storage, graphs, tmp_path) as heard:
        thread_id = await new_thread(storage)
        run = speaking_run("custom", thread_id, input={})
        await execute(storage, heard, run)
        pages = [page async for page in EventLog(storage.events).all_of_run(run.run_id)]
    shown = [plain for page in pages for event in page if (plain := plain_event(event)) is not None]
    named = [(event.name, json.loads(event.data)) for event in shown if event.name != "tasks"]
    assert named == [
        ("metadata", {"run_id": run.run_id, "attempt": 1}),
        ("custom", {"progress": 1}),
        ("custom", "halfway"),
        ("custom", {"progress": 2, "list": [1, "two", None, True]}),
        ("updates", {"work": {"out": "done"}}),
        ("values", {"out": "done"}),
    ]


@pytest.mark.parametrize("graph_id", ["subgraphed", "two_asks"])
async def test_answers_and_values_are_those_of_other_runs(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path, graph_id: str
) -> None:
    """A client may join a run however it was started."""
    async with working(storage, graphs, tmp_path) as heard:
        answers: list[Any] = []
        for make in (speaking_run, lambda graph_id, thread_id, **kwargs: on(thread_id, new_run(graph_id, **kwargs))):
            thread_id = await new_thread(storage)
            run = make(graph_id, thread_id, input={"messages": [], "ask": True} if graph_id == "subgraphed" else {})
            await execute(storage, heard, run)
            (result,) = await storage.runs.ended(Scope.everything(), [run.run_id])
            answer = json.loads(result.answer)
            answers.append((sorted(answer), sorted(str(each["value"]) for each in answer["__interrupt__"])))
            await asyncio.sleep(0)
    assert answers[0] == answers[1]


async def test_messages_that_are_written_at_once_can_be_told_apart(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path
) -> None:
    said = await said_by(storage, graphs, tmp_path, "choir", HELLO)
    texts: dict[str, str] = {}
    by_node: dict[str | None, str] = {}
    for each in said:
        if each["method"] != "messages":
            continue
        data, node = each["params"]["data"], each["params"].get("node")
        if data["event"] == "message-start":
            by_node[node] = data["id"]
        if data["event"] == "content-block-delta":
            assert data.get("id", by_node[node]) == by_node[node]
            texts[by_node[node]] = texts.get(by_node[node], "") + data["delta"]["text"]
    assert sorted(texts.values()) == ["alto: hi there", "bass: hi there", "tenor: hi there"]


async def test_transformers_of_the_graph_see_and_say(storage: SqliteStorage, graphs: Graphs, tmp_path: Path) -> None:
    said = await said_by(storage, graphs, tmp_path, "transformed", HELLO)
    assert data_of(said, "custom") == [{"name": "counted", "payload": count} for count in (1, 2)]
    assert data_of(said, "values")[0] == {"messages": "hidden"}
    assert [task["name"] for task in data_of(said, "tasks")] == ["model", "model"]
    assert data_of(said, "lifecycle")[-1]["event"] == "completed"


async def test_a_run_with_transformers_leaves_no_cycles(storage: SqliteStorage, graphs: Graphs, tmp_path: Path) -> None:
    async with working(storage, graphs, tmp_path) as heard:
        thread_id = await new_thread(storage)
        await execute(storage, heard, speaking_run("transformed", thread_id, input=HELLO))
        gc.collect()
        gc.disable()
        try:
            await execute(storage, heard, speaking_run("transformed", thread_id, input=HELLO))
            assert not [each for each in gc.get_objects() if type(each).__name__ in ("StreamMux", "Counting")]
        finally:
            gc.enable()


async def test_transformers_change_what_is_told_and_not_what_is_answered(graph_runner: GraphRunner) -> None:
    outcome = await graph_runner.run("transformed", input=HELLO, protocol=True, streaming=True)
    assert [message["type"] for message in answer_of(outcome)["messages"]] == ["human", "ai"]
    paused = await graph_runner.run("transformed", input=HELLO, protocol=True, streaming=True, interrupt_before="*")
    assert paused.paused
