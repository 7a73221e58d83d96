"""The events of a run: names, order and data, in every stream mode."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypedDict

import orjson
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessageChunk
from langchain_core.tools import tool
from langgraph.graph import StateGraph

from runyard.runtime.execution.graph_stream import GraphStream, graph_modes
from tests.unit.graph_runner import GraphRunner

HI = {"messages": [{"role": "user", "content": "hello big world", "id": "h"}]}
STEPS = [
    {"n": 1, "log": []},
    {"n": 2, "log": ["a"], "last": "a"},
    {"n": 12, "log": ["a", "b"], "last": "b"},
    {"n": 112, "log": ["a", "b", "c"], "last": "c"},
]


async def test_values_begin_with_the_input_and_follow_each_step(graph_runner: GraphRunner) -> None:
    run = graph_runner.new_run("chain", input={"n": 1}, stream_mode=["values"], attempt=1)
    await graph_runner.execute(run)
    assert graph_runner.events == [
        ("metadata", {"run_id": run.run_id, "attempt": 1}),
        *(("values", step) for step in STEPS),
    ]


async def test_no_stream_modes_mean_values(graph_runner: GraphRunner) -> None:
    await graph_runner.run("chain", input={"n": 1}, stream_mode=[])
    assert graph_runner.event_names == ["metadata", *["values"] * 4]


async def test_updates_are_what_each_node_returned(graph_runner: GraphRunner) -> None:
    await graph_runner.run("chain", input={"n": 1}, stream_mode=["updates"])
    assert graph_runner.data_of("updates") == [
        {"a": {"n": 1, "log": ["a"], "last": "a"}},
        {"b": {"n": 10, "log": ["b"], "last": "b"}},
        {"c": {"n": 100, "log": ["c"], "last": "c"}},
    ]
    assert set(graph_runner.event_names) == {"metadata", "updates"}


async def test_updates_come_before_the_values_of_their_step(graph_runner: GraphRunner) -> None:
    await graph_runner.run("chain", input={"n": 1}, stream_mode=["values", "updates"])
    assert graph_runner.event_names == ["metadata", "values", *["updates", "values"] * 3]


async def test_message_tuples_carry_the_single_words(graph_runner: GraphRunner) -> None:
    run = graph_runner.new_run("echo", input=HI, stream_mode=["messages-tuple"], metadata={"k": "v"})
    await graph_runner.execute(run)
    assert graph_runner.event_names == ["metadata", *["messages"] * 4]
    chunks, metadata = zip(*graph_runner.data_of("messages"), strict=True)
    assert [chunk["content"] for chunk in chunks] == ["echo:", " hello", " big", " world"]
    assert {chunk["type"] for chunk in chunks} == {"AIMessageChunk"}
    assert [chunk["chunk_position"] for chunk in chunks] == [None, None, None, "last"]
    assert {chunk["id"] for chunk in chunks} == {"ai-1"}
    assert metadata[0] == metadata[-1]
    expected: dict[str, Any] = {
        "run_id": run.run_id,
        "thread_id": run.thread_id,
        "graph_id": "echo",
        "assistant_id": "a",
    }
    expected |= {"k": "v", "run_attempt": 1, "created_by": "system", "langgraph_node": "model"}
    assert metadata[0].items() >= expected.items()


async def test_messages_grow_word_by_word(graph_runner: GraphRunner) -> None:
    await graph_runner.run("echo", input=HI, stream_mode=["messages"])
    assert graph_runner.event_names == ["metadata", "messages/metadata", *["messages/partial"] * 4]
    assert list(graph_runner.data_of("messages/metadata")[0]) == ["ai-1"]
    assert "langgraph_node" in graph_runner.data_of("messages/metadata")[0]["ai-1"]["metadata"]
    partial = [message for (message,) in graph_runner.data_of("messages/partial")]
    assert [message["content"] for message in partial][-1] == "echo: hello big world"
    assert {message["type"] for message in partial} == {"ai"}


async def test_a_message_that_did_not_stream_is_complete(graph_runner: GraphRunner) -> None:
    await graph_runner.run("subgraphed", input=HI, stream_mode=["messages"])
    assert graph_runner.event_names == ["metadata", "messages/metadata", "messages/complete"]
    assert graph_runner.data_of("messages/complete")[0][0]["content"] == "child: hello big world"


async def test_custom_events_are_what_the_node_wrote(graph_runner: GraphRunner) -> None:
    await graph_runner.run("custom", input={}, stream_mode=["custom"])
    assert graph_runner.data_of("custom") == [
        {"progress": 1},
        "halfway",
        {"progress": 2, "list": [1, "two", None, True]},
    ]


async def test_tasks_begin_and_end(graph_runner: GraphRunner) -> None:
    await graph_runner.run("chain", input={"n": 1}, stream_mode=["tasks"])
    begun, ended = graph_runner.data_of("tasks")[:2]
    assert begun.keys() == {"id", "name", "input", "triggers", "metadata"}
    assert (begun["name"], begun["input"]) == ("a", STEPS[0])
    assert ended == {
        "id": begun["id"],
        "name": "a",
        "error": None,
        "result": {"n": 1, "log": ["a"], "last": "a"},
        "interrupts": [],
    }
    assert graph_runner.event_names == ["metadata", *["tasks"] * 6]


async def test_checkpoints_chain_back_to_the_input(graph_runner: GraphRunner) -> None:
    run = graph_runner.new_run("chain", input={"n": 1}, stream_mode=["checkpoints"])
    await graph_runner.execute(run)
    checkpoints = graph_runner.data_of("checkpoints")
    assert [item["metadata"]["step"] for item in checkpoints] == [-1, 0, 1, 2, 3]
    assert [item["next"] for item in checkpoints] == [["__start__"], ["a"], ["b"], ["c"], []]
    assert [item["values"] for item in checkpoints[1:]] == STEPS
    configurable = checkpoints[0]["config"]["configurable"]
    assert configurable["thread_id"] == run.thread_id
    assert not [key for key in configurable if key.startswith("__pregel")]
    assert checkpoints[1]["parent_config"]["configurable"]["checkpoint_id"] == configurable["checkpoint_id"]


async def test_debug_wraps_tasks_and_checkpoints(graph_runner: GraphRunner) -> None:
    await graph_runner.run("chain", input={"n": 1}, stream_mode=["debug"])
    kinds = [event["type"] for event in graph_runner.data_of("debug")]
    assert kinds == ["checkpoint", "checkpoint", *["task", "task_result", "checkpoint"] * 3]
    first, second = graph_runner.data_of("debug")[:2]
    assert first["payload"]["parent_checkpoint"] is None
    assert second["payload"]["parent_checkpoint"] == first["payload"]["checkpoint"]
    assert first["payload"]["checkpoint"].keys() == {"checkpoint_id", "thread_id", "checkpoint_ns"}


async def test_nothing_tells_of_checkpoints_that_will_be_deleted(graph_runner: GraphRunner) -> None:
    await graph_runner.run("chain", input={"n": 1}, stream_mode=["checkpoints", "debug"], temporary=True)
    assert graph_runner.data_of("checkpoints") == []
    assert {event["type"] for event in graph_runner.data_of("debug")} == {"task", "task_result"}
    await graph_runner.run("chain", input={"n": 1}, stream_mode=["checkpoints"], temporary=True)
    assert graph_runner.event_names == ["metadata"]


async def test_other_modes_come_among_the_events(graph_runner: GraphRunner) -> None:
    run = graph_runner.new_run("echo", input=HI, stream_mode=["events", "values", "updates"])
    outcome = await graph_runner.execute(run)
    kinds = [data["event"] if name == "events" else name for name, data in graph_runner.events]
    assert kinds == [
        "metadata",
        "on_chain_start",
        "values",
        "on_chain_start",
        "on_chat_model_start",
        *["on_chat_model_stream"] * 4,
        "on_chat_model_end",
        "on_chain_stream",
        "on_chain_end",
        "updates",
        "values",
        "on_chain_end",
    ]
    root = graph_runner.data_of("events")[0]
    assert (root["name"], root["run_id"]) == ("echo", run.run_id)
    assert graph_runner.data_of("events")[-1]["data"]["output"] == graph_runner.data_of("values")[-1]
    assert outcome.status == "success"


async def test_all_modes_at_once_lose_no_event(graph_runner: GraphRunner) -> None:
    modes = ["values", "updates", "messages", "messages-tuple", "tasks", "checkpoints", "debug", "custom"]
    await graph_runner.run("echo", input=HI, stream_mode=modes)
    assert Counter(graph_runner.event_names) == {
        "metadata": 1,
        "values": 2,
        "updates": 1,
        "messages": 4,  # as tuples: they win over `messages`
        "tasks": 2,
        "checkpoints": 3,
        "debug": 5,
    }


@pytest.mark.parametrize("events", [[], ["events"]])
async def test_events_of_subgraphs_carry_their_namespace(graph_runner: GraphRunner, events: list[str]) -> None:
    await graph_runner.run("subgraphed", input=HI, stream_mode=["values", "updates", *events], subgraphs=True)
    child = next(name for name in graph_runner.event_names if "|" in name).partition("|")[2]
    assert child.startswith("child:")
    shown = [name.replace(child, "child") for name in graph_runner.event_names if name != "events"]
    assert shown == [
        *["metadata", "values", "updates", "values"],
        *["values|child", *["updates|child", "values|child"] * 2],
        *["updates", "values"] * 2,
    ]


async def test_tokens_of_subgraphs_are_sent_when_asked_for(graph_runner: GraphRunner) -> None:
    await graph_runner.run("subgraphed", input=HI, stream_mode=["messages-tuple"], subgraphs=True)
    assert {name.partition(":")[0] for name in graph_runner.event_names[1:]} == {"messages|child"}
    assert len(graph_runner.event_names) == 5
    await graph_runner.run("subgraphed", input=HI, stream_mode=["messages-tuple"])
    assert graph_runner.event_names == ["metadata", "messages"]
    assert graph_runner.data_of("messages")[0][0]["type"] == "ai"


async def test_an_interrupt_is_said_in_updates_then_in_values(graph_runner: GraphRunner) -> None:
    await graph_runner.run("interrupting", input={"text": "t"}, stream_mode=["values", "updates"])
    question = {"value": {"question": "ok?", "text": "t"}, "response_schema": None}
    (asked,) = graph_runner.events[-2][1]["__interrupt__"]
    assert asked.items() >= question.items()
    assert len(asked["id"]) == 32
    assert graph_runner.events[-2:] == [
        ("updates", {"__interrupt__": [asked]}),
        ("values", {"text": "t", "log": ["prepare"], "__interrupt__": [asked]}),
    ]


async def test_a_stop_before_a_node_is_an_empty_interrupt(graph_runner: GraphRunner) -> None:
    await graph_runner.run("chain", input={"n": 1}, stream_mode=["updates"], interrupt_before=["b"])
    assert graph_runner.data_of("updates") == [{"a": {"n": 1, "log": ["a"], "last": "a"}}, {"__interrupt__": []}]
    await graph_runner.run("chain", input={"n": 1}, stream_mode=["values"], interrupt_before=["b"])
    assert graph_runner.event_names == ["metadata", "values", "values"]


@pytest.mark.parametrize("modes", [["values", "updates"], ["values", "events"], ["messages-tuple"]])
async def test_an_error_comes_last(graph_runner: GraphRunner, modes: list[str]) -> None:
    await graph_runner.run("failing", input={}, stream_mode=modes)
    assert graph_runner.events[-1] == ("error", {"error": "ValueError", "message": "boom from failing graph"})


def test_chunks_that_cannot_be_joined_do_not_break_the_stream() -> None:
    sent: list[str] = []
    stream = GraphStream(lambda name, data: sent.append(name), ["messages"], temporary=False, wanted=lambda: True)
    for extra in ({"a": "x"}, {"a": 1}):
        stream.part((), "messages", (AIMessageChunk(content="x", id="1", additional_kwargs=extra), {}))
    stream.part((), "messages", (HumanMessageChunk(content="x", id="2"), {}))
    assert sent == ["messages/metadata", *["messages/partial"] * 2, "messages/metadata", "messages/partial"]


class Counted(TypedDict):
    n: int


async def test_tools_tell_of_each_call_of_a_tool() -> None:
    @tool
    async def doubled(n: int) -> int:
        """Twice the number."""
        return 2 * n

    async def call(state: Counted) -> Counted:
        call = {"type": "tool_call", "id": "c1", "name": "doubled", "args": {"n": 2}}
        return {"n": int((await doubled.ainvoke(call)).content)}

    builder = StateGraph(Counted)
    builder.add_node("call", call)
    builder.set_entry_point("call")
    graph: Any = builder.compile()
    told: list[tuple[str, Any]] = []
    stream = GraphStream(
        lambda name, data: told.append((name, orjson.loads(data))), ["tools"], temporary=False, wanted=lambda: True
    )
    async for mode, payload in graph.astream({"n": 1}, stream_mode=graph_modes(["tools"], watch_pauses=False)):
        stream.part((), mode, payload)
    (first, started), (last, finished) = told
    assert (first, last) == ("tools", "tools")
    assert started == {"event": "tool-started", "tool_call_id": "c1", "tool_name": "doubled", "input": {"n": 2}}
    assert (finished["event"], finished["tool_call_id"], finished["output"]["content"]) == ("tool-finished", "c1", "4")
