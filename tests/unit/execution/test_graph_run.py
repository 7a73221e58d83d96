"""What runs answer, and how they pause and go on."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig

from runyard.runtime.execution.graph_outcome import GraphOutcome
from tests.unit.graph_runner import GraphRunner, answer_of, values_of

HI = {"messages": [{"role": "user", "content": "hello big world", "id": "h"}]}


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_final_values_are_the_answer(graph_runner: GraphRunner, streaming: bool) -> None:
    outcome = await graph_runner.run("chain", input={"n": 1}, streaming=streaming, stream_mode=["updates"])
    assert outcome == GraphOutcome(
        status="success",
        answer=b'{"n":112,"log":["a","b","c"],"last":"c"}',
        values=b'{"n":112,"log":["a","b","c"],"last":"c"}',
        interrupts=b"{}",
        paused=False,
        error=None,
    )


@pytest.mark.parametrize("modes", [["values"], ["messages-tuple", "debug"], ["events"]])
async def test_nothing_is_sent_when_nobody_watches(graph_runner: GraphRunner, modes: list[str]) -> None:
    for graph_id in ("echo", "failing", "interrupting"):
        await graph_runner.run(graph_id, input=HI if graph_id == "echo" else {}, stream_mode=modes, streaming=False)
        assert graph_runner.events == []


async def test_messages_are_flat_in_the_answer(graph_runner: GraphRunner) -> None:
    messages = answer_of(await graph_runner.run("echo", input=HI))["messages"]
    assert [(message["type"], message["content"]) for message in messages] == [
        ("human", "hello big world"),
        ("ai", "echo: hello big world"),
    ]


@pytest.mark.parametrize(("given", "expected"), [("abc", "ABC"), (21, {"got": 21}), ([1], {"got": [1]})])
async def test_functions_take_and_give_any_json(graph_runner: GraphRunner, given: Any, expected: Any) -> None:
    outcome = await graph_runner.run("shout", input=given)
    assert answer_of(outcome) == values_of(outcome) == expected


async def test_the_output_may_be_less_than_the_state(graph_runner: GraphRunner) -> None:
    outcome = await graph_runner.run("narrow", input={"question": "why"})
    assert answer_of(outcome) == {"answer": "not why"}
    assert values_of(outcome) == {"question": "why", "answer": "not why", "scratch": 1}
    assert values_of(await graph_runner.run("narrow", input={"question": "why"}, temporary=True)) == {
        "answer": "not why"
    }


async def test_a_graph_fans_out(graph_runner: GraphRunner) -> None:
    assert answer_of(await graph_runner.run("fanout", input={"items": [3, 1, 2]}))["total"] == 60


async def test_an_interrupt_is_a_success_that_waits(graph_runner: GraphRunner) -> None:
    thread = "t"
    outcome = await graph_runner.run("interrupting", input={"text": "x"}, thread=thread)
    question = {"question": "ok?", "text": "x"}
    (asked,) = answer_of(outcome).pop("__interrupt__")
    assert (outcome.status, outcome.paused) == ("success", True)
    assert asked == {"value": question, "id": asked["id"], "response_schema": None}
    assert answer_of(outcome) == {"text": "x", "log": ["prepare"], "__interrupt__": [asked]}
    assert values_of(outcome) == {"text": "x", "log": ["prepare"]}
    ((_, waiting),) = json.loads(outcome.interrupts or b"").items()
    assert waiting == [{"id": asked["id"], "value": question}]

    resumed = await graph_runner.run("interrupting", command={"resume": {"ok": True}}, thread=thread)
    assert answer_of(resumed) == {"text": "x", "answer": {"ok": True}, "log": ["prepare", "human", "finish"]}
    assert not resumed.paused


async def test_two_interrupts_are_answered_by_their_ids(graph_runner: GraphRunner) -> None:
    outcome = await graph_runner.run("two_asks", input={}, thread="t2")
    ids = {item["value"]: item["id"] for item in answer_of(outcome)["__interrupt__"]}
    assert len(json.loads(outcome.interrupts or b"")) == 2
    half = await graph_runner.run("two_asks", command={"resume": {ids["left?"]: 1}}, thread="t2")
    assert half.paused
    assert [item["value"] for item in answer_of(half)["__interrupt__"]] == ["right?"]
    whole = await graph_runner.run("two_asks", command={"resume": {ids["right?"]: 2}}, thread="t2")
    assert sorted(answer_of(whole)["got"]) == [["left", 1], ["right", 2]]


async def test_a_function_may_ask(graph_runner: GraphRunner) -> None:
    outcome = await graph_runner.run("asking_function", input=3, thread="t3")
    assert answer_of(outcome)["__interrupt__"][0]["value"] == {"about": 3}
    assert (outcome.paused, values_of(outcome)) == (True, None)
    assert answer_of(await graph_runner.run("asking_function", command={"resume": 7}, thread="t3")) == {"got": 7}


async def test_a_run_stops_before_and_after_nodes(graph_runner: GraphRunner) -> None:
    first = await graph_runner.run("chain", input={"n": 1}, thread="t4", interrupt_before=["b"])
    assert (first.paused, answer_of(first)["n"], first.interrupts) == (True, 2, b"{}")
    second = await graph_runner.run("chain", thread="t4", interrupt_after=["b"])
    assert (second.paused, answer_of(second)["n"]) == (True, 12)
    third = await graph_runner.run("chain", thread="t4", interrupt_before=["unknown"])
    assert (third.paused, answer_of(third)["n"]) == (False, 112)
    assert (await graph_runner.run("chain", input={"n": 1}, interrupt_before="*")).paused


async def test_a_graph_may_ask_without_a_saver(graph_runner: GraphRunner) -> None:
    outcome = await graph_runner.run("interrupting", input={"text": "x"}, checkpointer=None, temporary=True)
    assert answer_of(outcome)["__interrupt__"][0]["value"]["question"] == "ok?"
    assert (outcome.paused, outcome.interrupts) == (True, b"{}")


@pytest.mark.filterwarnings("error")
async def test_a_graph_that_wants_no_checkpoints_has_none(graph_runner: GraphRunner) -> None:
    outcome = await graph_runner.run("forgetful", input={"n": 1}, thread="f")
    assert values_of(outcome) == {"n": 2, "log": ["a"], "last": "a"}
    assert [item async for item in graph_runner.saver.alist({"configurable": {"thread_id": "f"}})] == []


async def test_values_that_json_does_not_know_are_answered(graph_runner: GraphRunner) -> None:
    async def out(kind: str) -> Any:
        # Savers refuse some of these.
        outcome = await graph_runner.run("odd", input={"kind": kind}, stream_mode=["values"], checkpointer=None)
        return answer_of(outcome)["out"]

    assert await out("big") == 2**70
    assert await out("nan") == [None, None]
    assert (await out("message"))["type"] == "human"
    assert await out("rest") == {"set": [1], "bytes": "YWI="}
    assert json.dumps(await out("deep")) == "[" * 401 + "]" * 401


async def test_durability_says_which_checkpoints_stay(graph_runner: GraphRunner) -> None:
    counts = {}
    for durability in ("sync", "async", "exit"):
        run = graph_runner.new_run("chain", input={"n": 1}, durability=durability)
        await graph_runner.execute(run)
        config: RunnableConfig = {"configurable": {"thread_id": run.thread_id}}
        counts[durability] = len([item async for item in graph_runner.saver.alist(config)])
    assert counts == {"sync": 5, "async": 5, "exit": 1}


async def test_a_run_goes_back_to_a_checkpoint(graph_runner: GraphRunner) -> None:
    await graph_runner.run("chain", input={"n": 1}, thread="t5")
    config: RunnableConfig = {"configurable": {"thread_id": "t5"}}
    history = [item async for item in graph_runner.saver.alist(config)]
    (at_b,) = [item for item in history if item.metadata["step"] == 1]
    checkpoint = {"checkpoint_id": at_b.config["configurable"]["checkpoint_id"]}
    assert answer_of(await graph_runner.run("chain", thread="t5", checkpoint=checkpoint))["n"] == 112
    sources = [item.metadata["source"] async for item in graph_runner.saver.alist(config)]
    assert sources[:3] == ["loop", "loop", "fork"]


async def test_lent_graphs_are_given_back(graph_runner: GraphRunner) -> None:
    lent: list[str] = sys.modules["configured"].LENT
    lent.clear()
    flavour = {"configurable": {"flavour": "mint"}}
    assert answer_of(await graph_runner.run("lent", input={}, config=flavour)) == {"out": "flavour=mint"}
    assert lent == ["open", "closed"]


async def test_a_node_reads_and_writes_the_store(graph_runner: GraphRunner) -> None:
    first = await graph_runner.run("storeful", input={"key": "k", "value": {"v": 1}})
    assert answer_of(first)["read"] == {"before": None, "after": {"v": 1}}
    stored = await graph_runner.store.aget(("tests",), "k")
    assert stored is not None
    assert stored.value == {"v": 1}
