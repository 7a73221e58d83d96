"""What each stream mode says."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import UnprocessableEntityError

from .ended_runs import user_message
from .run_streams import data_of, event_names, modes_of, stream_run

pytestmark = pytest.mark.postgres

MODES = ["values", "messages", "messages-tuple", "tasks", "checkpoints", "updates", "events", "debug", "custom"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_stream_has_events_of_its_mode_only(client: LangGraphClient, mode: Any) -> None:
    graph = "custom" if mode == "custom" else "echo"
    parts = await stream_run(client, graph, mode, input=user_message("a b"))

    assert parts[0].event == "metadata"
    assert parts[0].data["attempt"] == 1
    assert modes_of(parts) == {mode.removesuffix("-tuple")}


async def test_all_modes_together_say_all_that_each_says_alone(client: LangGraphClient) -> None:
    together = event_names(await stream_run(client, "echo", MODES, input=user_message("a b")))

    # "messages" and "messages-tuple" would share the names of their events: the tuples win.
    for mode in {*MODES} - {"messages"}:
        alone = event_names(await stream_run(client, "echo", mode, input=user_message("a b")))
        assert {name: together.count(name) for name in alone} == {name: alone.count(name) for name in alone}, mode


async def test_values_begin_with_the_input_and_follow_each_step(client: LangGraphClient) -> None:
    parts = await stream_run(client, "chain", "values", input={"n": 1})

    assert [values["n"] for values in data_of(parts, "values")] == [1, 2, 12, 112]


async def test_updates_come_before_the_values_of_their_step(client: LangGraphClient) -> None:
    parts = await stream_run(client, "chain", ["values", "updates"], input={"n": 1})

    assert event_names(parts) == ["metadata", "values", *["updates", "values"] * 3]
    assert [list(update) for update in data_of(parts, "updates")] == [["a"], ["b"], ["c"]]


async def test_messages_grow_word_by_word(client: LangGraphClient) -> None:
    parts = await stream_run(client, "echo", "messages", input=user_message("hello big world"))

    texts = [message["content"] for (message,) in data_of(parts, "messages/partial")]
    assert texts == ["echo:", "echo: hello", "echo: hello big", "echo: hello big world"]
    (about,) = data_of(parts, "messages/metadata")
    assert next(iter(about.values()))["metadata"]["langgraph_node"] == "model"


async def test_message_tuples_carry_the_single_words(client: LangGraphClient) -> None:
    parts = await stream_run(client, "echo", "messages-tuple", input=user_message("hello big world"))

    chunks = data_of(parts, "messages")
    assert [chunk["content"] for chunk, _ in chunks] == ["echo:", " hello", " big", " world"]
    assert {about["langgraph_node"] for _, about in chunks} == {"model"}
    assert {chunk["type"] for chunk, _ in chunks} == {"AIMessageChunk"}


async def test_custom_events_are_what_the_node_wrote(client: LangGraphClient) -> None:
    parts = await stream_run(client, "custom", "custom", input={})

    assert data_of(parts, "custom") == [{"progress": 1}, "halfway", {"progress": 2, "list": [1, "two", None, True]}]


async def test_tasks_begin_and_end(client: LangGraphClient) -> None:
    parts = await stream_run(client, "chain", "tasks", input={"n": 1})

    tasks = data_of(parts, "tasks")
    assert [task["name"] for task in tasks] == ["a", "a", "b", "b", "c", "c"]
    assert ["result" in task for task in tasks] == [False, True] * 3


async def test_checkpoints_chain_back_to_the_input(client: LangGraphClient) -> None:
    parts = await stream_run(client, "chain", "checkpoints", input={"n": 1})

    checkpoints = data_of(parts, "checkpoints")
    ids = [each["config"]["configurable"]["checkpoint_id"] for each in checkpoints]
    parents = [each["parent_config"]["configurable"]["checkpoint_id"] for each in checkpoints[1:]]
    assert [each["metadata"]["step"] for each in checkpoints] == [-1, 0, 1, 2, 3]
    assert parents == ids[:-1]


async def test_events_of_subgraphs_are_named_by_their_place(client: LangGraphClient) -> None:
    parts = await stream_run(
        client, "subgraphed", ["updates", "values"], input=user_message("x"), stream_subgraphs=True
    )

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
    parts = await stream_run(client, "subgraphed", ["updates", "values"], input=user_message("x"))

    assert {name for name in event_names(parts) if "|" in name} == set()
    assert [next(iter(update)) for update in data_of(parts, "updates")] == ["before", "child", "after"]


async def test_words_of_a_model_in_a_subgraph_carry_its_name(client: LangGraphClient) -> None:
    parts = await stream_run(client, "subgraphed", "messages-tuple", input=user_message("x y"), stream_subgraphs=True)

    inner = [part for part in parts if part.event.startswith("messages|child:")]
    assert "".join(part.data[0]["content"] for part in inner) == "child: x y"


async def test_a_failure_is_the_last_event(client: LangGraphClient) -> None:
    parts = await stream_run(client, "failing", ["values", "updates"], input={})

    assert parts[-1].event == "error"
    assert parts[-1].data == {"error": "ValueError", "message": "boom from failing graph"}
    assert event_names(parts).count("error") == 1


async def test_an_interrupt_is_said_in_updates_and_values(client: LangGraphClient) -> None:
    parts = await stream_run(client, "interrupting", ["values", "updates"], input={"text": "t"})

    (update,) = [update for update in data_of(parts, "updates") if "__interrupt__" in update]
    assert update["__interrupt__"][0]["value"] == {"question": "ok?", "text": "t"}
    assert data_of(parts, "values")[-1]["__interrupt__"][0]["id"] == update["__interrupt__"][0]["id"]


async def test_what_json_does_not_know_is_said_all_the_same(client: LangGraphClient) -> None:
    parts = await stream_run(client, "odd", ["values", "updates"], input={"kind": "message"})

    assert data_of(parts, "values")[-1]["out"]["content"] == "hi"
    big: Any = await client.runs.wait(None, "odd", input={"kind": "big"})
    nan: Any = await client.runs.wait(None, "odd", input={"kind": "nan"})
    assert (big["out"], nan["out"]) == (2**70, [None, None])


async def test_an_unknown_mode_is_refused_before_anything_runs(client: LangGraphClient) -> None:
    with pytest.raises(UnprocessableEntityError, match=r"body\.stream_mode"):
        await stream_run(client, "chain", "everything", input={})
