"""A batch of runs through the stock client: all of it or nothing, in order."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import APIStatusError

from runyard.runtime.config.assistant_ids import default_assistant_id

from .batches import batch_payload
from .waiting import wait_for_status

pytestmark = pytest.mark.postgres


async def test_the_answer_lists_the_accepted_runs_in_the_order_of_the_items(client: LangGraphClient) -> None:
    runs: list[Any] = await client.runs.create_batch(batch_payload("chain", ({"n": place} for place in range(50))))

    assert [run["kwargs"]["input"]["n"] for run in runs] == list(range(50))
    assert {run["status"] for run in runs} == {"pending"}
    assert len({run["run_id"] for run in runs} | {run["thread_id"] for run in runs}) == 100


async def test_every_run_ends_with_the_values_of_its_own_item(client: LangGraphClient) -> None:
    items = batch_payload("chain", ({"n": place} for place in range(50)), on_completion="keep")
    runs = await client.runs.create_batch(items)
    answers = [await client.runs.join(run["thread_id"], run["run_id"]) for run in runs]

    assert [answer["n"] for answer in answers] == [place + 111 for place in range(50)]
    threads = [await client.threads.get_state(run["thread_id"]) for run in runs]
    assert [thread["values"] for thread in threads] == answers


async def test_items_name_their_assistants_by_graph_or_by_id(client: LangGraphClient) -> None:
    hop, shout = (default_assistant_id(graph) for graph in ("hop", "shout"))
    items: list[Any] = [
        {"assistant_id": "chain", "input": {"n": 1}},
        {"assistant_id": hop, "input": {}},
        {"assistant_id": shout, "input": "loud"},
    ]
    runs = await client.runs.create_batch(items)

    assert [run["assistant_id"] for run in runs] == [default_assistant_id("chain"), hop, shout]
    answers: list[Any] = [await client.runs.join(run["thread_id"], run["run_id"]) for run in runs]
    assert answers[0]["n"] == 112
    assert answers[1]["path"] == ["start", "two"]
    assert answers[2] == "LOUD"


async def test_items_differ_in_all_their_options(client: LangGraphClient) -> None:
    items: list[Any] = [
        {"assistant_id": "chain", "input": {"n": 1}, "stream_mode": "updates", "metadata": {"a": 1}},
        {"assistant_id": "chain", "input": None, "durability": "exit", "stream_resumable": True},
        {"assistant_id": "chain", "input": {}, "after_seconds": 0.1, "on_completion": "keep", "feedback_keys": ["k"]},
    ]
    runs: list[Any] = await client.runs.create_batch(items)
    first, second, third = runs

    assert (first["metadata"]["a"], first["kwargs"]["stream_mode"]) == (1, ["updates"])
    assert (second["kwargs"]["durability"], second["kwargs"]["resumable"]) == ("exit", True)
    assert (third["kwargs"]["temporary"], third["kwargs"]["feedback_keys"]) == (False, ["k"])
    await wait_for_status(client, third, "success")


async def test_a_failing_run_does_not_disturb_its_neighbours(client: LangGraphClient) -> None:
    items: list[Any] = [
        {"assistant_id": "chain", "input": {"n": 1}, "on_completion": "keep"},
        {"assistant_id": "failing", "input": {}, "on_completion": "keep"},
        {"assistant_id": "chain", "input": {"n": 2}, "on_completion": "keep"},
    ]
    before, failing, after = await client.runs.create_batch(items)

    assert (await client.runs.join(before["thread_id"], before["run_id"]))["n"] == 112
    assert (await client.runs.join(after["thread_id"], after["run_id"]))["n"] == 113
    assert (await client.runs.join(failing["thread_id"], failing["run_id"])) == {
        "__error__": {"error": "ValueError", "message": "boom from failing graph"}
    }
    statuses = [(await client.runs.get(run["thread_id"], run["run_id"]))["status"] for run in (before, failing, after)]
    assert statuses == ["success", "error", "success"]


async def test_payloads_of_thread_runs_with_their_extra_fields_are_accepted(client: LangGraphClient) -> None:
    payload: Any = {
        "thread_id": str(uuid.uuid4()),
        "assistant_id": "chain",
        "input": {"n": 1},
        "metadata": None,
        "config": None,
        "checkpoint": None,
        "checkpoint_id": None,
        "interrupt_before": ["c"],
        "interrupt_after": None,
        "webhook": None,
        "multitask_strategy": "reject",
        "if_not_exists": "create",
        "on_completion": "keep",
        "no_such_field": {"x": 1},
    }
    (run,) = await client.runs.create_batch([payload])

    assert run["thread_id"] != payload["thread_id"]
    assert (await client.runs.join(run["thread_id"], run["run_id"]))["n"] == 12
    assert (await client.threads.get_state(run["thread_id"]))["next"] == ["c"]


GOOD: dict[str, Any] = {"assistant_id": "chain", "input": {"n": 1}, "on_completion": "keep"}

# What makes an item bad, the status, and the beginning of the detail when it is the item with the index 1.
BAD: dict[str, tuple[Any, int, str]] = {
    "no assistant": ({"input": {}}, 422, 'body[1]: "assistant_id" is required'),
    "unknown graph": ({"assistant_id": "nope"}, 422, "body[1]: Invalid assistant: 'nope'"),
    "unknown assistant": ({"assistant_id": str(uuid.uuid4())}, 404, "body[1]: "),
    "wrong type": ({**GOOD, "metadata": []}, 422, "body[1].metadata: "),
    "wrong type deep inside": ({**GOOD, "config": {"tags": ["a", 1]}}, 422, "body[1].config.tags[1]: "),
    "null where none may be": ({**GOOD, "config": {"tags": None}}, 422, "body[1].config.tags: "),
    "unknown stream mode": ({**GOOD, "stream_mode": ["values", "all"]}, 422, "body[1].stream_mode"),
    "unknown goto": ({**GOOD, "command": {"goto": 7}}, 422, "body[1].command"),
    "NUL in a string": ({**GOOD, "input": {"last": "a\0b"}}, 422, "body[1].input.last: "),
    "resume without a thread": ({**GOOD, "command": {"resume": 1}}, 400, "body[1]: You must provide a thread_id"),
    "context and configurable": (
        {**GOOD, "context": {"a": 1}, "config": {"configurable": {"b": 2}}},
        400,
        "body[1]: Cannot specify both configurable and context",
    ),
    "refused webhook": ({**GOOD, "webhook": "ftp://example.org/x"}, 422, "body[1]: "),
    "a delay of ages": ({**GOOD, "after_seconds": 1e12}, 422, "body[1].after_seconds: "),
}


@pytest.mark.parametrize("kind", BAD)
async def test_one_bad_item_refuses_the_batch_and_leaves_nothing(client: LangGraphClient, tag: str, kind: str) -> None:
    item, status, detail = BAD[kind]
    good: Any = {**GOOD, "metadata": {"tag": tag}}

    with pytest.raises(APIStatusError) as refused:
        await client.runs.create_batch([good, item, good])

    assert refused.value.status_code == status
    assert isinstance(refused.value.body, dict)
    assert refused.value.body["detail"].startswith(detail)
    assert await client.threads.count(metadata={"tag": tag}) == 0


async def test_ten_thousand_items_are_one_batch_and_can_be_taken_back_as_one(client: LangGraphClient, tag: str) -> None:
    item: Any = {**GOOD, "after_seconds": 86_400, "metadata": {"tag": tag}}

    runs = await client.runs.create_batch([item] * 10_000)

    assert len({run["run_id"] for run in runs}) == 10_000
    assert await client.threads.count(metadata={"tag": tag}) == 10_000
    await client.runs.cancel_many(status="pending")
    last = await client.runs.get(runs[-1]["thread_id"], runs[-1]["run_id"])
    assert last["status"] == "interrupted"
    assert await client.threads.count(metadata={"tag": tag}, status="idle") == 10_000
