"""What reaches the graph: input, command, config, context; and what a second attempt is given."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, Send
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from runyard.runtime.execution.graph_input import GraphRun, run_config
from runyard.runtime.graphs.commands import graph_input
from runyard.runtime.graphs.context import run_context
from tests.unit.graph_runner import GraphRunner


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({"input": {"a": 1}}, {"a": 1}),
        ({"input": [1]}, [1]),
        ({"input": 0}, 0),
        ({}, None),
        ({"input": 1, "command": None}, 1),
        ({"input": 1, "command": {}}, 1),
        ({"input": 1, "command": {"resume": 0}}, Command(resume=0)),
        ({"command": {"goto": "a"}}, Command(goto="a")),
        ({"command": {"goto": ["a", "b"]}}, Command(goto=["a", "b"])),
        ({"command": {"goto": {"node": "a", "input": 1}}}, Command(goto=Send("a", 1))),
        ({"command": {"goto": [{"node": "a"}, "b"]}}, Command(goto=[Send("a", None), "b"])),
        ({"command": {"update": {"a": 1}, "goto": None}}, Command(update={"a": 1})),
        ({"command": {"update": [["a", 1], ["a", 2]]}}, Command(update=[("a", 1), ("a", 2)])),
    ],
)
def test_a_command_goes_before_the_input(kwargs: Any, expected: Any) -> None:
    assert graph_input(kwargs) == expected


class Typed(TypedDict, total=False):
    model: str


class Model(BaseModel):
    model: str = "m"
    other: int = Field(default=1, alias="otherName")


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


@dataclasses.dataclass
class Plain:
    model: str = "m"
    made: int = dataclasses.field(default=0, init=False)


@pytest.mark.parametrize(
    ("schema", "given", "expected"),
    [
        (None, {}, None),
        (None, {"model": 1, "x": 2}, {"model": 1, "x": 2}),
        (Typed, None, None),
        (Typed, {"x": 2}, None),
        (Typed, {"model": 1, "x": 2}, {"model": 1}),
        (Model, {}, {}),
        (Model, {"model": 1, "otherName": 2, "x": 2}, {"model": 1, "otherName": 2}),
        (Open, {"x": 2}, {"x": 2}),
        (Plain, {}, {}),
        (Plain, {"model": 1, "made": 3, "x": 2}, {"model": 1}),
        (dict, {"x": 2}, {"x": 2}),
    ],
)
def test_context_is_cut_to_its_schema(schema: Any, given: Any, expected: Any) -> None:
    assert run_context(schema, given) == expected


def test_the_config_of_a_run_names_it_and_drops_what_is_internal(graph_runner: GraphRunner) -> None:
    run = graph_runner.new_run(
        "chain",
        attempt=2,
        config={
            "tags": ["t"],
            "recursion_limit": 7,
            "configurable": {
                "thread_id": "other",
                "x": 1,
                "langgraph_request_id": "r",
                "__pregel_read": "no",
                "langgraph_auth_user": {"identity": "somebody"},
                "langgraph_auth_scheme": "no",
            },
            "callbacks": "no",
        },
        metadata={"k": "v", "run_id": "not this", "thread_id": "not this"},
        checkpoint={"checkpoint_id": "c", "checkpoint_ns": ""},
    )
    config = run_config(run)
    assert config["tags"] == ["t"]
    assert config["recursion_limit"] == 7
    assert str(config["run_id"]) == run.run_id
    ids = {"run_id": run.run_id, "thread_id": run.thread_id, "graph_id": "chain", "assistant_id": "a"}
    assert config["metadata"] == {"created_by": "system", "k": "v", **ids, "run_attempt": 2}
    assert config["configurable"] == {
        "x": 1,
        **ids,
        "langgraph_request_id": "r",
        "user_id": "",
        "langgraph_auth_user": None,
        "langgraph_auth_user_id": "",
        "langgraph_auth_permissions": [],
        "checkpoint_id": "c",
        "__pregel_checkpointer": graph_runner.saver,
    }
    assert "callbacks" not in config
    assert "metadata" not in run.kwargs["config"]["configurable"]


async def test_a_node_sees_how_it_was_called(graph_runner: GraphRunner) -> None:
    run = graph_runner.new_run(
        "configured",
        input={},
        config={"tags": ["t"], "recursion_limit": 9, "configurable": {"extra": [1], "model_name": "m"}},
        context={"extra": [1], "model_name": "m"},
        metadata={"k": "v"},
    )
    assert json.loads((await graph_runner.execute(run)).answer)["seen"] == {
        "context": {"model_name": "m"},
        "configurable": {"extra": [1], "model_name": "m"},
        "ids": {
            "thread_id": run.thread_id,
            "run_id": run.run_id,
            "assistant_id": "a",
            "graph_id": "configured",
        },
        "tags": ["t"],
        "recursion_limit": 9,
        "metadata": {"k": "v", "run_attempt": 1, "run_id": run.run_id},
    }


async def test_goto_on_a_new_thread_runs_the_entry_too(graph_runner: GraphRunner) -> None:
    outcome = await graph_runner.run("hop", command={"goto": {"node": "three", "input": {"payload": 5}}})
    assert json.loads(outcome.answer) == {"path": ["start", "three", "two"], "payload": 5}


async def crash(graph_runner: GraphRunner, run: GraphRun, *, after: int) -> None:
    """Executes `run` until it has saved `after` more checkpoints or writes, and forgets what comes then."""

    class Crash(BaseException):
        pass

    count = 0
    saver = graph_runner.saver

    class Dying(InMemorySaver):
        async def aput(self, *args: Any) -> Any:
            nonlocal count
            count += 1
            if count > after:
                raise Crash
            return await saver.aput(*args)

        async def aput_writes(self, *args: Any) -> Any:
            nonlocal count
            count += 1
            if count > after:
                raise Crash
            return await saver.aput_writes(*args)

    dying = Dying()
    dying.storage, dying.writes, dying.blobs = saver.storage, saver.writes, saver.blobs
    outcome = await graph_runner.execute(dataclasses.replace(run, checkpointer=dying))
    assert outcome.status == "error"


async def history(graph_runner: GraphRunner, thread: str) -> list[str]:
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    return [item.metadata["source"] async for item in graph_runner.saver.alist(config)]


@pytest.mark.parametrize("after", range(9))
async def test_a_retried_input_is_applied_once(graph_runner: GraphRunner, after: int) -> None:
    await graph_runner.run("chain", input={"n": 1000}, thread="t")
    run = graph_runner.new_run("chain", input={"n": 1}, thread="t")
    await crash(graph_runner, run, after=after)
    outcome = await graph_runner.execute(dataclasses.replace(run, attempt=2))
    assert json.loads(outcome.answer)["n"] == 1000 + 111 + 1 + 111


@pytest.mark.parametrize("after", range(5))
async def test_a_retried_update_is_applied_once(graph_runner: GraphRunner, after: int) -> None:
    await graph_runner.run("chain", input={"n": 1000}, thread="t", interrupt_before=["b"])
    run = graph_runner.new_run("chain", command={"update": {"n": 5, "log": ["u"]}}, thread="t")
    await crash(graph_runner, run, after=after)
    outcome = await graph_runner.execute(dataclasses.replace(run, attempt=2))
    assert json.loads(outcome.answer) == {"n": 1116, "log": ["a", "u", "b", "c"], "last": "c"}


@pytest.mark.parametrize("after", range(5))
async def test_a_retried_answer_is_given_once(graph_runner: GraphRunner, after: int) -> None:
    await graph_runner.run("interrupting", input={"text": "x"}, thread="t")
    run = graph_runner.new_run("interrupting", command={"resume": "yes"}, thread="t")
    await crash(graph_runner, run, after=after)
    outcome = await graph_runner.execute(dataclasses.replace(run, attempt=2))
    assert json.loads(outcome.answer) == {
        "text": "x",
        "answer": "yes",
        "log": ["prepare", "human", "finish"],
    }


@pytest.mark.parametrize("after", range(1, 5))
async def test_a_retried_fork_goes_on_where_it_was(graph_runner: GraphRunner, after: int) -> None:
    await graph_runner.run("chain", input={"n": 1}, thread="t")
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    (at_b,) = [item async for item in graph_runner.saver.alist(config) if item.metadata["step"] == 1]
    checkpoint = {"checkpoint_id": at_b.config["configurable"]["checkpoint_id"]}
    run = graph_runner.new_run("chain", thread="t", checkpoint=checkpoint)
    await crash(graph_runner, run, after=after)
    outcome = await graph_runner.execute(dataclasses.replace(run, attempt=2))
    assert json.loads(outcome.answer)["n"] == 112
    assert await history(graph_runner, "t") == ["loop", "loop", "fork", *["loop"] * 4, "input"]


async def test_a_second_attempt_after_the_end_changes_nothing(graph_runner: GraphRunner) -> None:
    run = graph_runner.new_run("chain", input={"n": 1}, thread="t")
    first = await graph_runner.execute(run)
    assert await graph_runner.execute(dataclasses.replace(run, attempt=2)) == first
