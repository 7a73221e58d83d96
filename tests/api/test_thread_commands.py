"""Commands of the thread event protocol over HTTP, and what they make of a thread."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx
import pytest

from tests.gate import Gate

pytestmark = pytest.mark.postgres(cluster=True)


class Commands:
    """Sends commands to one thread."""

    def __init__(self, http: httpx.AsyncClient, thread: str) -> None:
        self.http = http
        self.thread = thread

    async def send(self, method: str, key: str | None = None, /, **params: Any) -> dict[str, Any]:
        headers = {} if key is None else {"idempotency-key": key}
        command = {"id": 1, "method": method, "params": params}
        answer = await self.http.post(f"/threads/{self.thread}/commands", json=command, headers=headers)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def result(self, method: str, key: str | None = None, /, **params: Any) -> Any:
        answer = await self.send(method, key, **params)
        assert answer["type"] == "success", answer
        return answer["result"]

    async def joined(self, run_id: str) -> Any:
        """What a run answers."""
        return (await self.http.get(f"/threads/{self.thread}/runs/{run_id}/join")).json()

    async def run(self, assistant: str, given: Any, **params: Any) -> Any:
        """What a new run answers."""
        started = await self.result("run.start", assistant_id=assistant, input=given, **params)
        return await self.joined(started["run_id"])

    async def event(self, channel: str) -> Any:
        """The data of the first event of a channel, once there is one."""
        url = f"/threads/{self.thread}/stream/events"
        async with self.http.stream("POST", url, json={"channels": [channel]}) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    return json.loads(line.removeprefix("data: "))["params"]["data"]
        raise AssertionError("the stream has ended")

    async def runs(self) -> list[Any]:
        runs: list[Any] = (await self.http.get(f"/threads/{self.thread}/runs")).json()
        return runs


@pytest.fixture
def commands(http: httpx.AsyncClient) -> Commands:
    return Commands(http, str(uuid.uuid4()))


async def questions(commands: Commands) -> dict[str, str]:
    """The ids of the interrupts that the thread waits at, by what they ask."""
    thread = (await commands.http.get(f"/threads/{commands.thread}")).json()
    return {str(each["value"]): each["id"] for asked in thread["interrupts"].values() for each in asked}


async def test_several_questions_are_answered_at_once(commands: Commands) -> None:
    await commands.run("two_asks", {})
    asked = await questions(commands)
    answers = [{"interrupt_id": asked[f"{side}?"], "response": side.upper()} for side in ("left", "right")]
    resumed = await commands.result("input.respond", responses=answers, metadata={"why": "both"})
    assert sorted((await commands.joined(resumed["run_id"]))["got"]) == [["left", "LEFT"], ["right", "RIGHT"]]
    assert (await commands.runs())[0]["metadata"]["why"] == "both"


async def test_questions_are_answered_one_by_one_and_each_once(commands: Commands) -> None:
    await commands.run("two_asks", {})
    asked = await questions(commands)
    first = {"interrupt_id": asked["left?"], "response": "L", "namespace": []}
    run = await commands.result("input.respond", "key", **first)
    assert await commands.result("input.respond", "key", **first) == run  # the same request again
    assert (await commands.send("input.respond", **first))["error"] == "no_such_interrupt"
    await commands.joined(run["run_id"])
    last = await commands.result("input.respond", interrupt_id=asked["right?"], response="R")
    assert sorted((await commands.joined(last["run_id"]))["got"]) == [["left", "L"], ["right", "R"]]
    assert (await commands.send("input.respond", **first))["error"] == "no_such_interrupt"
    assert len(await commands.runs()) == 3


async def test_a_question_is_answered_while_its_run_is_still_under_way(commands: Commands, gate: Gate) -> None:
    held = {"configurable": {"gate": str(gate.path)}}
    started = await commands.result("run.start", assistant_id="wondering", input={}, config=held)
    question = await commands.event("input")
    answer = {"interrupt_id": question["interrupt_id"], "response": "because"}
    resumed = await commands.result("input.respond", **answer)
    assert (await commands.runs())[-1]["status"] == "running"
    assert (await commands.send("input.respond", **answer))["error"] == "no_such_interrupt"
    gate.open()
    await commands.joined(started["run_id"])
    assert (await commands.joined(resumed["run_id"]))["log"] == ["because"]


async def test_an_answer_can_change_the_state_and_the_way(commands: Commands) -> None:
    await commands.run("interrupting", {"text": "go?"})
    ((_, interrupt_id),) = (await questions(commands)).items()
    answer = {"interrupt_id": interrupt_id, "response": "yes", "update": {"text": "gone"}}
    resumed = await commands.result("input.respond", **answer)
    assert await commands.joined(resumed["run_id"]) == {
        "text": "gone",
        "answer": "yes",
        "log": ["prepare", "human", "finish"],
    }


async def test_a_message_is_said_to_the_graph(commands: Commands) -> None:
    assert (await commands.send("run.start", assistant_id="echo", input={"messages": []}, if_not_exists="reject"))[
        "error"
    ] == "unknown_error"  # there is no such thread
    await commands.run("echo", {"messages": [{"role": "user", "content": "one"}]})
    run = await commands.result("input.inject", message={"role": "user", "content": "two"})
    messages = (await commands.joined(run["run_id"]))["messages"]
    assert [message["type"] for message in messages] == ["human", "ai", "human", "ai"]
    assert messages[2]["content"] == "two"


async def test_nothing_is_said_to_a_graph_that_takes_no_messages(commands: Commands) -> None:
    message = {"role": "user", "content": "x"}
    await commands.http.post("/threads", json={"thread_id": commands.thread})
    assert (await commands.send("input.inject", message=message))["error"] == "no_such_run"
    await commands.run("chain", {"n": 1})
    assert (await commands.send("input.inject", message=message))["error"] == "not_supported"


async def test_a_run_begins_at_a_checkpoint(commands: Commands) -> None:
    await commands.run("chain", {"n": 1})
    listed = (await commands.result("state.listCheckpoints"))["checkpoints"]
    assert [each["step"] for each in listed] == [3, 2, 1, 0, -1]
    after_a = listed[2]["id"]
    page = (await commands.result("state.listCheckpoints", limit=1, before=after_a))["checkpoints"]
    assert [each["step"] for each in page] == [0]
    forked = await commands.result("state.fork", checkpoint_id=after_a)
    assert forked["thread_id"] == commands.thread
    assert (await commands.joined(forked["run_id"]))["log"] == ["a", "b", "c"]
    again = await commands.run("chain", None, config={"configurable": {"checkpoint_id": after_a}})
    assert again["log"] == ["a", "b", "c"]
    assert (await commands.send("state.fork", checkpoint_id=str(uuid.uuid4())))["error"] == "no_such_checkpoint"


async def test_values_are_told_as_far_as_they_are_asked_for(commands: Commands) -> None:
    await commands.http.post("/threads", json={"thread_id": commands.thread})
    assert await commands.result("state.get") == {"values": {}}
    await commands.run("chain", {"n": 1})
    state = await commands.result("state.get", namespace=[], keys=["n", "nothing"])
    assert state["values"] == {"n": 112}
    assert state["checkpoint"]["ns"] == ""
    assert (await commands.send("state.get", namespace=["nowhere:1"]))["error"] == "no_such_namespace"


async def test_a_subgraph_that_asks_is_in_the_tree_and_has_a_state(commands: Commands) -> None:
    await commands.http.post("/threads", json={"thread_id": commands.thread})
    assert (await commands.send("agent.getTree"))["error"] == "no_such_run"
    given = {"messages": [{"role": "user", "content": "x"}], "ask": True}
    started = await commands.result("run.start", assistant_id="subgraphed", input=given)
    await commands.joined(started["run_id"])
    tree = (await commands.result("agent.getTree"))["tree"]
    assert tree == (await commands.result("agent.getTree", run_id=started["run_id"]))["tree"]
    (child,) = tree["children"]
    assert (tree["status"], child["status"], child["graph_name"]) == ("interrupted", "interrupted", "child")
    assert (await commands.result("state.get", namespace=child["namespace"]))["values"]["ask"] is True
    assert (await commands.send("agent.getTree", run_id=str(uuid.uuid4())))["error"] == "no_such_run"


async def test_a_run_is_made_once_for_each_key(commands: Commands) -> None:
    options = {"assistant_id": "chain", "input": {"n": 1}}
    first = await commands.result("run.start", "a", **options)
    assert await commands.result("run.start", "a", **options) == first
    assert (await commands.result("run.start", "b", **options)) != first
    assert len(await commands.runs()) == 2


async def test_a_second_run_is_refused_where_that_is_asked(commands: Commands) -> None:
    later = {"assistant_id": "chain", "input": {"n": 1}, "after_seconds": 3600}
    await commands.result("run.start", **later)
    refused = await commands.send("run.start", **later, multitask_strategy="reject")
    assert refused["error"] == "unknown_error"
    assert refused["message"].startswith("409: ")
