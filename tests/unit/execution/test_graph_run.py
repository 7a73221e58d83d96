"""What runs answer, and how they pause and go on. `yard` is in conftest.py."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from runyard.runtime.execution.graph_run import GraphOutcome

HI = {"messages": [{"role": "user", "content": "hello big world", "id": "h"}]}


def answer(outcome: GraphOutcome) -> Any:
    return json.loads(outcome.answer)


def values(outcome: GraphOutcome) -> Any:
    return None if outcome.values is None else json.loads(outcome.values)


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_final_values_are_the_answer(yard: Any, streaming: bool) -> None:
    outcome = await yard("chain", input={"n": 1}, streaming=streaming, stream_mode=["updates"])
    assert outcome == GraphOutcome(
        status="success",
        answer=b'{"n":112,"log":["a","b","c"],"last":"c"}',
        values=b'{"n":112,"log":["a","b","c"],"last":"c"}',
        interrupts=b"{}",
        paused=False,
        error=None,
    )


@pytest.mark.parametrize("modes", [["values"], ["messages-tuple", "debug"], ["events"]])
async def test_nothing_is_sent_when_nobody_watches(yard: Any, modes: list[str]) -> None:
    for graph_id in ("echo", "failing", "interrupting"):
        await yard(graph_id, input=HI if graph_id == "echo" else {}, stream_mode=modes, streaming=False)
        assert yard.events == []


async def test_messages_are_flat_in_the_answer(yard: Any) -> None:
    messages = answer(await yard("echo", input=HI))["messages"]
    assert [(message["type"], message["content"]) for message in messages] == [
        ("human", "hello big world"),
        ("ai", "echo: hello big world"),
    ]


@pytest.mark.parametrize(("given", "expected"), [("abc", "ABC"), (21, {"got": 21}), ([1], {"got": [1]})])
async def test_functions_take_and_give_any_json(yard: Any, given: Any, expected: Any) -> None:
    outcome = await yard("shout", input=given)
    assert answer(outcome) == values(outcome) == expected


async def test_the_output_may_be_less_than_the_state(yard: Any) -> None:
    outcome = await yard("narrow", input={"question": "why"})
    assert answer(outcome) == {"answer": "not why"}
    assert values(outcome) == {"question": "why", "answer": "not why", "scratch": 1}
    assert values(await yard("narrow", input={"question": "why"}, temporary=True)) == {"answer": "not why"}


async def test_fan_out(yard: Any) -> None:
    assert answer(await yard("fanout", input={"items": [3, 1, 2]}))["total"] == 60


async def test_an_interrupt_is_a_success_that_waits(yard: Any) -> None:
    thread = "t"
    outcome = await yard("interrupting", input={"text": "x"}, thread=thread)
    question = {"question": "ok?", "text": "x"}
    (asked,) = answer(outcome).pop("__interrupt__")
    assert (outcome.status, outcome.paused) == ("success", True)
    assert asked == {"value": question, "id": asked["id"], "response_schema": None}
    assert answer(outcome) == {"text": "x", "log": ["prepare"], "__interrupt__": [asked]}
    assert values(outcome) == {"text": "x", "log": ["prepare"]}
    ((_, waiting),) = json.loads(outcome.interrupts).items()
    assert waiting == [{"id": asked["id"], "value": question}]

    resumed = await yard("interrupting", command={"resume": {"ok": True}}, thread=thread)
    assert answer(resumed) == {"text": "x", "answer": {"ok": True}, "log": ["prepare", "human", "finish"]}
    assert not resumed.paused


async def test_two_interrupts_are_answered_by_their_ids(yard: Any) -> None:
    outcome = await yard("two_asks", input={}, thread="t2")
    ids = {item["value"]: item["id"] for item in answer(outcome)["__interrupt__"]}
    assert len(json.loads(outcome.interrupts)) == 2
    half = await yard("two_asks", command={"resume": {ids["left?"]: 1}}, thread="t2")
    assert half.paused
    assert [item["value"] for item in answer(half)["__interrupt__"]] == ["right?"]
    whole = await yard("two_asks", command={"resume": {ids["right?"]: 2}}, thread="t2")
    assert sorted(answer(whole)["got"]) == [["left", 1], ["right", 2]]


async def test_a_function_that_asks(yard: Any) -> None:
    outcome = await yard("asking_function", input=3, thread="t3")
    assert answer(outcome)["__interrupt__"][0]["value"] == {"about": 3}
    assert (outcome.paused, values(outcome)) == (True, None)
    assert answer(await yard("asking_function", command={"resume": 7}, thread="t3")) == {"got": 7}


async def test_stops_before_and_after_nodes(yard: Any) -> None:
    first = await yard("chain", input={"n": 1}, thread="t4", interrupt_before=["b"])
    assert (first.paused, answer(first)["n"], first.interrupts) == (True, 2, b"{}")
    second = await yard("chain", thread="t4", interrupt_after=["b"])
    assert (second.paused, answer(second)["n"]) == (True, 12)
    third = await yard("chain", thread="t4", interrupt_before=["unknown"])
    assert (third.paused, answer(third)["n"]) == (False, 112)
    assert (await yard("chain", input={"n": 1}, interrupt_before="*")).paused


async def test_an_interrupt_without_a_saver(yard: Any) -> None:
    outcome = await yard("interrupting", input={"text": "x"}, checkpointer=None, temporary=True)
    assert answer(outcome)["__interrupt__"][0]["value"]["question"] == "ok?"
    assert (outcome.paused, outcome.interrupts) == (True, b"{}")


@pytest.mark.filterwarnings("error")
async def test_a_graph_that_wants_no_checkpoints(yard: Any) -> None:
    outcome = await yard("forgetful", input={"n": 1}, thread="f")
    assert values(outcome) == {"n": 2, "log": ["a"], "last": "a"}
    assert [item async for item in yard.saver.alist({"configurable": {"thread_id": "f"}})] == []


async def test_values_that_json_does_not_know(yard: Any) -> None:
    async def out(kind: str) -> Any:
        # Savers refuse some of these.
        outcome = await yard("odd", input={"kind": kind}, stream_mode=["values"], checkpointer=None)
        return answer(outcome)["out"]

    assert await out("big") == 2**70
    assert await out("nan") == [None, None]
    assert (await out("message"))["type"] == "human"
    assert await out("rest") == {"set": [1], "bytes": "YWI="}
    assert json.dumps(await out("deep")) == "[" * 401 + "]" * 401


async def test_durability(yard: Any) -> None:
    counts = {}
    for durability in ("sync", "async", "exit"):
        run = yard.run("chain", input={"n": 1}, durability=durability)
        await yard.execute(run)
        config = {"configurable": {"thread_id": run.thread_id}}
        counts[durability] = len([item async for item in yard.saver.alist(config)])
    assert counts == {"sync": 5, "async": 5, "exit": 1}


async def test_going_back_to_a_checkpoint(yard: Any) -> None:
    await yard("chain", input={"n": 1}, thread="t5")
    config = {"configurable": {"thread_id": "t5"}}
    history = [item async for item in yard.saver.alist(config)]
    (at_b,) = [item for item in history if item.metadata["step"] == 1]
    checkpoint = {"checkpoint_id": at_b.config["configurable"]["checkpoint_id"]}
    assert answer(await yard("chain", thread="t5", checkpoint=checkpoint))["n"] == 112
    sources = [item.metadata["source"] async for item in yard.saver.alist(config)]
    assert sources[:3] == ["loop", "loop", "fork"]


async def test_lent_graphs_are_given_back(yard: Any) -> None:
    lent: list[str] = sys.modules["configured"].LENT
    lent.clear()
    flavour = {"configurable": {"flavour": "mint"}}
    assert answer(await yard("lent", input={}, config=flavour)) == {"out": "flavour=mint"}
    assert lent == ["open", "closed"]


async def test_the_store(yard: Any) -> None:
    first = await yard("storeful", input={"key": "k", "value": {"v": 1}})
    assert answer(first)["read"] == {"before": None, "after": {"v": 1}}
    assert (await yard.store.aget(("tests",), "k")).value == {"v": 1}
