"""What a thread shows after a run that failed, and after one that nobody could end properly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError

from tests.gate import Gate
from tests.live_server import StartServer

from .ended_runs import run_to_end
from .waiting import wait_for_thread_status, wait_until

pytestmark = pytest.mark.postgres


def log(word: str) -> Any:
    """An input of the graphs that keep a log."""
    return {"log": [word]}


async def seen(client: LangGraphClient, thread: str) -> tuple[Any, Any, Any]:
    """Values and questions of the thread, and the values of its state."""
    found: Any = await client.threads.get(thread)
    state: Any = await client.threads.get_state(thread)
    return found["values"], found["interrupts"], state["values"]


async def read_log(client: LangGraphClient, thread: str) -> list[str]:
    """The log in the state of the thread."""
    state: Any = await client.threads.get_state(thread)
    return list(state["values"].get("log", []))


BAD_INPUTS: dict[str, tuple[Any, Any]] = {
    "strict": ({"count": 1}, {"count": "x"}),
    "strict_inside": ({"count": 1}, {"count": "x"}),
    "reduced": ({"log": ["good"]}, {"log": ["bad"]}),
}


@pytest.mark.parametrize("graph", BAD_INPUTS)
async def test_an_input_that_the_state_refuses_changes_nothing(
    client: LangGraphClient, thread: str, graph: str
) -> None:
    good, bad = BAD_INPUTS[graph]
    await client.runs.wait(thread, graph, input=good)
    before = await seen(client, thread)
    assert before[0] == before[2] != {}

    run, answer = await run_to_end(client, thread, graph, input=bad)

    assert (run["status"], list(answer)) == ("error", ["__error__"])
    assert await seen(client, thread) == before
    assert (await client.threads.get(thread))["status"] == "error"
    history: Any = await client.threads.get_history(thread, limit=20)
    assert history[0]["values"] == before[2]
    _, answer = await run_to_end(client, thread, graph, input=good)
    assert "__error__" not in answer, "the thread can be used again"


async def test_a_question_stays_that_an_input_which_is_refused_did_not_answer(
    client: LangGraphClient, thread: str
) -> None:
    await client.runs.wait(thread, "strict", input={"count": 1, "ask": True})
    before = await seen(client, thread)
    assert before[1]
    await client.runs.wait(thread, "strict", input={"count": "x"}, raise_error=False)
    assert await seen(client, thread) == before
    answer: Any = await client.runs.wait(thread, "strict", command={"resume": "yes"})
    assert answer["count"] == 2


async def test_a_thread_whose_first_input_is_refused_is_as_new(client: LangGraphClient, thread: str) -> None:
    await client.runs.wait(thread, "strict", input={"count": "x"}, raise_error=False)
    assert await client.threads.get_history(thread, limit=10) == []
    assert (await client.threads.get_state(thread))["values"] == {}


async def test_an_output_that_the_state_refuses_leaves_what_was_reached_before_it(
    client: LangGraphClient, thread: str
) -> None:
    await client.runs.wait(thread, "strict", input={"count": 1, "spoil": True}, raise_error=False)
    state: Any = await client.threads.get_state(thread)
    assert (state["values"]["count"], state["next"]) == (2, ["check"])
    assert (await client.threads.get(thread))["values"] == state["values"]
    await client.threads.update_state(thread, {"spoil": False})
    answer: Any = await client.runs.wait(thread, "strict", input=None)
    assert answer["log"] == ["count", "check", "end"]


async def test_a_factory_that_fails_for_one_config_takes_nothing_from_the_thread(
    client: LangGraphClient, thread: str, http: httpx.AsyncClient
) -> None:
    await client.runs.wait(thread, "choosy", input=log("good"))
    await client.runs.wait(
        thread, "choosy", input=log("more"), config={"configurable": {"refuse": True}}, raise_error=False
    )
    assert (await client.threads.get(thread))["values"] == {"log": ["good", "noted"]}
    refused = await http.get(f"/threads/{thread}/state")
    assert (refused.status_code, "not with this config" in refused.text) == (400, True)
    await client.runs.wait(thread, "choosy", input=log("better"))
    state: Any = await client.threads.get_state(thread)
    assert state["values"] == {"log": ["good", "noted", "better", "noted"]}


async def test_a_state_that_cannot_be_read_is_refused_with_the_reason_wherever_it_is_asked_for(
    client: LangGraphClient, thread: str, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    (file := tmp_path / "linked").touch()
    await client.runs.wait(thread, "linked", input={"file": str(file)})
    state: Any = await client.threads.get_state(thread)
    assert state["next"] == ["wait_for_word"]
    file.unlink()

    path = f"/threads/{thread}"
    checkpoint = state["checkpoint_id"]
    answers = [
        await http.get(f"{path}/state"),
        await http.get(f"{path}/state", params={"subgraphs": "true"}),
        await http.get(f"{path}/state/{checkpoint}"),
        await http.post(f"{path}/state/checkpoint", json={"checkpoint": {"checkpoint_id": checkpoint}}),
        await http.get(f"{path}/history"),
        await http.post(f"{path}/history", json={"limit": 10}),
        await http.post(f"{path}/state", json={"values": {"log": ["x"]}}),
    ]

    assert [answer.status_code for answer in answers] == [400] * len(answers)
    for answer in answers:
        assert f"{file} is not there" in answer.json()["detail"]
    for answer in answers[:-1]:
        assert "ValidationError" in answer.json()["detail"]
    assert (await client.threads.get(thread))["interrupts"], "the thread shows what it last was"
    file.touch()
    assert await client.threads.get_state(thread) == state


async def test_a_second_run_on_the_thread_of_a_stateless_run_has_its_state(client: LangGraphClient, gate: Gate) -> None:
    first: Any = await client.runs.create(None, "gated", input=gate.input("first"))
    thread = first["thread_id"]
    await wait_until(lambda: client.runs.get(thread, first["run_id"]), lambda run: run["status"] == "running")
    second = await client.runs.create(thread, "gated", input={"label": "second"})
    gate.open()

    answer: Any = await client.runs.join(thread, second["run_id"])

    assert answer["log"] == ["first in", "first out", "second in", "second out"]
    state: Any = await client.threads.get_state(thread)
    assert state["values"] == answer


async def test_a_copy_of_a_thread_under_way_has_the_last_finished_state(
    client: LangGraphClient, thread: str, gate: Gate, http: httpx.AsyncClient
) -> None:
    await client.runs.wait(thread, "gated", input={"gate": "/", "label": "first"})
    under_way = await client.runs.create(thread, "gated", input=gate.input("second"))
    await wait_until(lambda: read_log(client, thread), lambda log: "second in" in log)

    copied = (await http.post(f"/threads/{thread}/copy")).json()["thread_id"]

    state: Any = await client.threads.get_state(copied)
    assert (state["values"]["log"], state["next"]) == (["first in", "first out"], [])
    gate.open()
    await client.runs.join(thread, under_way["run_id"])


async def test_a_state_is_not_edited_while_a_run_is_to_start_later(client: LangGraphClient, thread: str) -> None:
    await client.runs.wait(thread, "chain", input={"n": 1})
    later = await client.runs.create(thread, "chain", input={"n": 1}, after_seconds=3600)
    with pytest.raises(ConflictError, match=later["run_id"]):
        await client.threads.update_state(thread, {"n": 5})
    await client.runs.cancel(thread, later["run_id"])
    await client.threads.update_state(thread, {"n": 5})


async def test_what_a_deleted_run_had_done_is_shown(client: LangGraphClient, thread: str, gate: Gate) -> None:
    run = await client.runs.create(thread, "gated", input=gate.input("x"))
    await wait_until(lambda: read_log(client, thread), lambda log: "x in" in log)
    await client.runs.delete(thread, run["run_id"])
    found: Any = await wait_for_thread_status(client, thread, "interrupted")
    state: Any = await client.threads.get_state(thread)
    assert found["values"] == state["values"] == {**gate.input("x"), "log": ["x in"]}


async def test_a_default_assistant_that_is_deleted_is_there_again_for_runs(
    client: LangGraphClient, thread: str
) -> None:
    (default,) = await client.assistants.search(graph_id="forgetful", metadata={"created_by": "system"})
    await client.assistants.update(default["assistant_id"], metadata={"changed": True})
    await client.assistants.delete(default["assistant_id"])
    again: Any = await client.assistants.get(default["assistant_id"])
    assert (again["version"], again["metadata"]) == (1, {"created_by": "system"})
    await client.runs.wait(thread, "forgetful", input={})


async def test_thread_and_state_agree_after_a_death_at_every_attempt(start_server: StartServer) -> None:
    env = {"RUNYARD_TESTS_MAY_DIE": "1", "RUNYARD_MAX_ATTEMPTS": "1"}
    client = get_client(url=start_server(args=("--workers", "1"), env=env).url)
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "deadly", input={"survivors": 5}, durability="sync", raise_error=False)
    found: Any = await wait_until(lambda: client.threads.get(thread), lambda found: bool(found["values"]))
    state: Any = await client.threads.get_state(thread)
    assert found["values"] == state["values"] == {"survivors": 5}
    assert (found["status"], found["error"]["error"], state["next"]) == ("error", "WorkerLost", ["die"])
