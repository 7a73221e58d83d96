"""Human in the loop: a graph asks, the thread waits for days if need be, an answer lets it go on."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient

from .ended_runs import user_message
from .run_streams import collect, data_of
from .waiting import wait_for_thread_status

pytestmark = pytest.mark.postgres(cluster=True)


@pytest.fixture
async def asked(client: LangGraphClient) -> str:
    """A thread whose graph has asked and waits for the answer."""
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "interrupting", input={"text": "send it?"})
    return thread


async def test_a_graph_asks_and_goes_on_with_the_answer(client: LangGraphClient, asked: str) -> None:
    # What an inbox shows: threads that wait, and what they ask.
    waiting = await client.threads.search(ids=[asked], status="interrupted")
    assert [thread["thread_id"] for thread in waiting] == [asked]
    ((question,),) = waiting[0]["interrupts"].values()
    assert question["value"] == {"question": "ok?", "text": "send it?"}
    state = await client.threads.get_state(asked)
    assert state["next"] == ["human"]
    assert state["tasks"][0]["interrupts"][0]["id"] == question["id"]

    answer: Any = await client.runs.wait(asked, "interrupting", command={"resume": {"ok": True}})

    assert answer == {"text": "send it?", "answer": {"ok": True}, "log": ["prepare", "human", "finish"]}
    done: Any = await client.threads.get(asked)
    assert (done["status"], done["interrupts"]) == ("idle", {})


@pytest.mark.parametrize("reply", ["yes", 0, False, [], {"ok": True}, [1, {"a": None}], 1.5, ""])
async def test_an_answer_may_be_any_json_value(client: LangGraphClient, asked: str, reply: Any) -> None:
    answer: Any = await client.runs.wait(asked, "interrupting", command={"resume": reply})

    assert answer["answer"] == reply


async def test_the_answer_can_be_streamed(client: LangGraphClient, asked: str) -> None:
    parts = await collect(client.runs.stream(asked, "interrupting", command={"resume": "go"}, stream_mode=["updates"]))

    assert [next(iter(update)) for update in data_of(parts, "updates")] == ["human", "finish"]


async def test_several_questions_are_answered_by_their_ids(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    first: Any = await client.runs.wait(thread, "two_asks", input={})
    ids = {question["value"]: question["id"] for question in first["__interrupt__"]}
    assert set(ids) == {"left?", "right?"}

    half: Any = await client.runs.wait(thread, "two_asks", command={"resume": {ids["left?"]: "L"}})
    assert [question["id"] for question in half["__interrupt__"]] == [ids["right?"]]
    whole: Any = await client.runs.wait(thread, "two_asks", command={"resume": {ids["right?"]: "R"}})

    assert sorted(whole["got"]) == [["left", "L"], ["right", "R"]]


async def test_a_graph_within_the_graph_asks(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "subgraphed", input={**user_message("x"), "ask": True})
    state: Any = await client.threads.get_state(thread, subgraphs=True)
    assert state["next"] == ["child"]
    assert state["tasks"][0]["state"]["next"] == ["confirm"]

    answer: Any = await client.runs.wait(thread, "subgraphed", command={"resume": "confirmed"})

    assert answer["answer"] == "confirmed"
    assert answer["log"] == ["before", "after"]


async def test_a_function_asks(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    asking: Any = await client.runs.wait(thread, "asking_function", input={"a": 1})
    assert asking["__interrupt__"][0]["value"] == {"about": {"a": 1}}

    assert await client.runs.wait(thread, "asking_function", command={"resume": 7}) == {"got": 7}


async def test_a_human_looks_before_a_node_and_corrects_the_state(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "chain", input={"n": 0}, interrupt_before=["c"])
    await wait_for_thread_status(client, thread, "interrupted")
    before: Any = await client.threads.get_state(thread)
    assert (before["values"]["n"], before["next"]) == (11, ["c"])

    await client.threads.update_state(thread, {"n": 1000, "log": ["corrected"]})
    answer: Any = await client.runs.wait(thread, "chain", input=None)

    assert answer["n"] == 1111
    assert answer["log"] == ["a", "b", "corrected", "c"]
    assert (await client.threads.get(thread))["status"] == "idle"


async def test_a_human_steps_through_the_nodes_one_by_one(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    steps: list[str] = []
    await client.runs.wait(thread, "chain", input={"n": 0}, interrupt_before="*")
    while following := (await client.threads.get_state(thread))["next"]:
        steps += following
        await client.runs.wait(thread, "chain", input=None, interrupt_after="*")

    assert steps == ["a", "b", "c"]


async def test_a_human_answers_in_the_place_of_the_asking_node(client: LangGraphClient, asked: str) -> None:
    await client.threads.update_state(asked, {"answer": "by hand", "log": ["hand"]}, as_node="human")
    answer: Any = await client.runs.wait(asked, "interrupting", input=None)

    assert (answer["answer"], answer["log"]) == ("by hand", ["prepare", "hand", "finish"])


async def test_an_answer_may_redirect_the_graph_and_change_its_state(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "hop", input={}, interrupt_before=["two"])

    answer: Any = await client.runs.wait(thread, "hop", command={"update": {"path": ["by hand"]}, "goto": "three"})

    assert "by hand" in answer["path"]
    assert "three" in answer["path"]


async def test_an_answer_to_no_question_is_no_crash(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "chain", input={"n": 0})

    run = await client.runs.create(thread, "chain", command={"resume": "what?"})
    await client.runs.join(thread, run["run_id"])
    answer: Any = await client.runs.wait(thread, "chain", input={"n": 0})
    assert answer["n"] >= 111
