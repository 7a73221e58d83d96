"""The states of threads through the stock client: read, written by hand, paged."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import BadRequestError, ConflictError, NotFoundError, UnprocessableEntityError

from tests.gate import Gate

from .ended_runs import user_message

pytestmark = pytest.mark.postgres


@pytest.fixture
async def thread(client: LangGraphClient) -> str:
    """A thread that has counted to 112."""
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "chain", input={"n": 1})
    return thread


@pytest.fixture
async def asking(client: LangGraphClient) -> str:
    """A thread whose subgraph asks whether to proceed."""
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "subgraphed", input={**user_message("hi"), "ask": True})
    return thread


async def test_the_state_of_a_new_thread_is_empty(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    state: Any = await client.threads.get_state(thread)
    assert (state["values"], state["next"], state["tasks"]) == ({}, [], [])
    assert (state["checkpoint"], state["metadata"], state["created_at"]) == (None, None, None)
    assert await client.threads.get_history(thread) == []


async def test_a_state_says_where_it_comes_from(client: LangGraphClient, thread: str) -> None:
    (run,) = await client.runs.list(thread)
    state: Any = await client.threads.get_state(thread)
    assert state["values"] == {"n": 112, "log": ["a", "b", "c"], "last": "c"}
    metadata = state["metadata"]
    assert (metadata["source"], metadata["step"], metadata["parents"]) == ("loop", 3, {})
    assert (metadata["thread_id"], metadata["run_id"], metadata["graph_id"]) == (thread, run["run_id"], "chain")
    assert (metadata["assistant_id"], metadata["run_attempt"]) == (run["assistant_id"], 1)
    assert state["checkpoint"] == {
        "thread_id": thread,
        "checkpoint_ns": "",
        "checkpoint_id": state["checkpoint_id"],
    }
    assert state["parent_checkpoint"]["checkpoint_id"] < state["checkpoint_id"]


async def test_a_state_of_the_past_is_found_by_its_checkpoint(client: LangGraphClient, thread: str) -> None:
    history = await client.threads.get_history(thread, limit=50)
    for state in history:
        checkpoint: Any = state["checkpoint"]
        assert await client.threads.get_state(thread, checkpoint=checkpoint) == state
        assert await client.threads.get_state(thread, checkpoint_id=checkpoint["checkpoint_id"]) == state
    unknown = await client.threads.get_state(thread, checkpoint_id=(nobody := str(uuid.uuid4())))
    assert (unknown["values"], unknown["next"], unknown["checkpoint"]["checkpoint_id"]) == ({}, [], nobody)


async def test_a_history_is_paged_and_filtered(client: LangGraphClient, thread: str) -> None:
    for _ in range(9):
        await client.runs.wait(thread, "chain", input={"n": 0})
    history: list[Any] = await client.threads.get_history(thread, limit=1000)
    assert len(history) == 50, "more than is made in one go"
    ids = [state["checkpoint"]["checkpoint_id"] for state in history]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 50
    assert await client.threads.get_history(thread, limit=3) == history[:3]
    assert await client.threads.get_history(thread, limit=7, before=history[24]["checkpoint"]) == history[25:32]
    configurable: Any = {"configurable": history[1]["checkpoint"]}
    assert await client.threads.get_history(thread, before=configurable, limit=2) == history[2:4]
    inputs = await client.threads.get_history(thread, metadata={"source": "input"}, limit=50)
    assert inputs == [state for state in history if (state["metadata"] or {})["source"] == "input"]
    assert len(inputs) == 10
    assert await client.threads.get_history(thread, metadata={"source": "nobody"}) == []
    assert await client.threads.get_history(thread, checkpoint=history[5]["checkpoint"]) == [history[5]]
    path = f"/threads/{thread}/history"
    assert await client.http.get(path, params={"limit": 2, "before": ids[0]}) == history[1:3]
    assert await client.http.get(path) == history[:1]
    with pytest.raises(UnprocessableEntityError):
        await client.threads.get_history(thread, limit=0)


async def test_only_the_selected_parts_are_answered(client: LangGraphClient, thread: str) -> None:
    state: Any = await client.threads.get_state(thread, select=["values.n", "next"])
    assert state == {"values": {"n": 112}, "next": []}
    history: Any = await client.threads.get_history(thread, limit=2, select=["checkpoint_id"])
    assert [list(item) for item in history] == [["checkpoint_id"], ["checkpoint_id"]]


async def test_a_correction_by_hand_is_where_the_graph_goes_on(client: LangGraphClient, thread: str) -> None:
    """As if a node had written it: the nodes behind it run next."""
    answer: Any = await client.threads.update_state(thread, {"n": 1000, "log": ["by hand"]}, as_node="a")
    state: Any = await client.threads.get_state(thread)
    assert answer["checkpoint"] == answer["configurable"] == state["checkpoint"]
    assert state["values"] == {"n": 1112, "log": ["a", "b", "c", "by hand"], "last": "c"}, "through the reducers"
    assert (state["next"], state["metadata"]["source"], state["metadata"]["step"]) == (["b"], "update", 4)
    shown = await client.threads.get(thread)
    assert (shown["status"], shown["values"]) == ("interrupted", state["values"]), "the thread shows it too"
    after: Any = await client.runs.wait(thread, "chain", input=None)
    assert (after["n"], after["log"][-3:]) == (1222, ["by hand", "b", "c"])
    assert (await client.threads.get(thread))["status"] == "idle"


async def test_a_correction_of_what_has_ended_starts_nothing(client: LangGraphClient, thread: str) -> None:
    before: Any = await client.threads.get(thread)
    await client.threads.update_state(thread, {"last": "patched"})
    after: Any = await client.threads.get(thread)
    assert (after["status"], after["values"]["last"]) == ("idle", "patched")
    assert after["state_updated_at"] > before["state_updated_at"]
    await client.threads.update_state(thread, None)
    assert (await client.threads.get(thread))["values"] == after["values"], "a copy changes nothing"
    assert len(await client.threads.get_history(thread, limit=50)) == 7


async def test_a_question_can_be_answered_in_the_state(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "interrupting", input={"text": "x"})
    assert len((await client.threads.get(thread))["interrupts"]) == 1
    await client.threads.update_state(thread, {"answer": "by hand"}, as_node="human")
    shown = await client.threads.get(thread)
    assert (shown["interrupts"], shown["status"]) == ({}, "interrupted")
    after: Any = await client.runs.wait(thread, "interrupting", input=None)
    assert (after["answer"], after["log"]) == ("by hand", ["prepare", "finish"])


async def test_work_that_is_next_can_be_called_off(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "interrupting", input={"text": "x"})
    await client.threads.update_state(thread, None, as_node="__end__")
    shown = await client.threads.get(thread)
    assert (shown["status"], shown["interrupts"]) == ("idle", {})
    assert (await client.threads.get_state(thread))["next"] == []


async def test_a_change_of_the_past_is_a_branch(client: LangGraphClient, thread: str) -> None:
    history = await client.threads.get_history(thread, limit=50)
    past: Any = next(state["checkpoint"] for state in history if state["next"] == ["c"])
    for options in ({"checkpoint": past}, {"checkpoint_id": past["checkpoint_id"]}):
        changed: Any = await client.threads.update_state(thread, {"n": 5}, **options)
        state: Any = await client.threads.get_state(thread)
        assert state["checkpoint_id"] == changed["checkpoint_id"]
        assert state["parent_checkpoint_id"] == past["checkpoint_id"]
        assert (state["values"]["n"], state["next"]) == (17, ["c"])
    with pytest.raises(NotFoundError, match="not found on thread"):
        await client.threads.update_state(thread, {"n": 5}, checkpoint_id=str(uuid.uuid4()))


async def test_corrections_at_the_same_time_all_count(client: LangGraphClient, thread: str) -> None:
    await asyncio.gather(*(client.threads.update_state(thread, {"n": 1, "log": [str(n)]}) for n in range(15)))
    values: Any = (await client.threads.get_state(thread))["values"]
    assert values["n"] == 127
    assert sorted(values["log"][3:]) == sorted(str(n) for n in range(15))
    assert (await client.threads.get(thread))["values"] == values


async def test_a_correction_that_the_graph_does_not_take_is_refused(client: LangGraphClient, thread: str) -> None:
    before = await client.threads.get_history(thread, limit=50)
    wrong: list[tuple[Any, dict[str, Any], str]] = [
        ({"n": 1}, {"as_node": "zzz"}, "Node zzz does not exist"),
        ({"n": "text"}, {"as_node": "a"}, "TypeError"),
        ([{"log": ["1"]}, {"log": ["2"]}], {"as_node": "c"}, "Expected dict"),
        ({"n": 1}, {"checkpoint": {"checkpoint_ns": "nobody:1"}}, "not found"),
    ]
    for values, options, message in wrong:
        with pytest.raises(BadRequestError, match=message):
            await client.threads.update_state(thread, values, **options)
    with pytest.raises(UnprocessableEntityError):
        await client.http.post(f"/threads/{thread}/state", json={"values": "x"})
    fresh = (await client.threads.create())["thread_id"]
    with pytest.raises(BadRequestError, match="has no assigned graph ID"):
        await client.threads.update_state(fresh, {"n": 1})
    other = (await client.threads.create(graph_id="another"))["thread_id"]
    for call in (client.threads.update_state(other, {}), client.threads.get_state(other)):
        with pytest.raises(NotFoundError, match="Graph 'another' not found"):
            await call
    assert await client.threads.get_history(thread, limit=50) == before


async def test_a_thread_that_was_never_run_can_be_written(client: LangGraphClient) -> None:
    thread = (await client.threads.create(graph_id="chain"))["thread_id"]
    await client.threads.update_state(thread, {"n": 5}, as_node="b")
    answer: Any = await client.runs.wait(thread, "chain", input=None)
    assert answer == {"n": 105, "log": ["c"], "last": "c"}


async def test_nobody_writes_into_a_run(client: LangGraphClient, gate: Gate) -> None:
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(thread, "gated", input=gate.input())
    with pytest.raises(ConflictError, match=run["run_id"]):
        await client.threads.update_state(thread, {"log": ["by hand"]})
    gate.open()
    answer: Any = await client.runs.join(thread, run["run_id"])
    assert answer["log"] == ["x in", "x out"]
    await client.threads.update_state(thread, {"log": ["by hand"]})


async def test_the_state_of_a_subgraph_is_read_and_written_by_its_namespace(
    client: LangGraphClient, asking: str
) -> None:
    """One that waits can be looked into, and be answered for, by its namespace."""
    state: Any = await client.threads.get_state(asking)
    (task,) = state["tasks"]
    assert (task["name"], task["state"]) == ("child", None)
    pointer = task["checkpoint"]
    assert pointer["checkpoint_ns"].startswith("child:")
    deep: Any = await client.threads.get_state(asking, subgraphs=True)
    inner = deep["tasks"][0]["state"]
    assert (inner["next"], inner["values"]["ask"]) == (["confirm"], True)
    assert await client.threads.get_state(asking, checkpoint=pointer) == inner
    history = await client.threads.get_history(asking, checkpoint=pointer, limit=10)
    assert history[0] == inner
    assert [item["next"] for item in history] == [["confirm"], ["think"], ["__start__"]]

    written: Any = await client.threads.update_state(
        asking, {"answer": "by hand"}, checkpoint=pointer, as_node="confirm"
    )
    assert written["checkpoint"]["checkpoint_ns"] == pointer["checkpoint_ns"]
    shown: Any = await client.threads.get(asking)
    assert (shown["status"], shown["values"].get("answer")) == ("interrupted", None), "it is the subgraph's own"
    after: Any = await client.runs.wait(asking, "subgraphed", input=None)
    assert (after["answer"], after["log"]) == ("by hand", ["before", "after"])


async def test_the_graph_of_a_factory_is_made_as_for_its_run(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "factory", input={"out": ""}, config={"configurable": {"flavour": "mint"}})
    await client.threads.update_state(thread, {"out": "by hand"}, as_node="serve_mint")
    assert (await client.threads.get_state(thread))["values"] == {"out": "by hand"}


async def test_a_graph_without_checkpoints_has_no_state(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "forgetful", input={"n": 1})
    assert (await client.threads.get_state(thread))["values"] == {}
    assert await client.threads.get_history(thread) == []
    with pytest.raises(BadRequestError, match="keeps no state"):
        await client.threads.update_state(thread, {"n": 1}, as_node="a")
