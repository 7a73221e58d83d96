"""Runs without a thread of the client's: when and how they run, how they end, and what stays of them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError
from langgraph_sdk.schema import Run

from tests.webhook_listener import WebhookListener

from .batches import batch_payload
from .ended_runs import run_and_keep
from .run_streams import collect, event_names
from .waiting import wait_until_deleted

pytestmark = pytest.mark.postgres


async def checkpoints(client: LangGraphClient, run: Run) -> int:
    return len(await client.threads.get_history(run["thread_id"], limit=50))


# How a run ends, and what stays of it


async def test_the_stock_client_raises_the_error_of_a_failed_run(client: LangGraphClient) -> None:
    with pytest.raises(Exception, match="ValueError: boom from failing graph"):
        await client.runs.wait(None, "failing", input={})


async def test_an_interrupt_is_answered_beside_the_values(client: LangGraphClient) -> None:
    answer: Any = await client.runs.wait(None, "interrupting", input={"text": "t"})

    assert answer["log"] == ["prepare"]
    (asked,) = answer["__interrupt__"]
    assert asked["value"] == {"question": "ok?", "text": "t"}


@pytest.mark.parametrize("graph", ["chain", "failing", "interrupting"])
async def test_run_and_thread_are_deleted_at_the_end_unless_they_are_to_be_kept(
    client: LangGraphClient, graph: str
) -> None:
    run: Any = await client.runs.create(None, graph, input={}, on_completion="delete")
    assert run["kwargs"]["temporary"]
    await wait_until_deleted(client, run)

    for look in (client.threads.get, client.threads.get_state, client.runs.list):
        with pytest.raises(NotFoundError):
            await look(run["thread_id"])


@pytest.mark.parametrize(
    ("graph", "run_status", "thread_status", "following"),
    [
        ("chain", "success", "idle", []),
        ("failing", "error", "error", ["second"]),
        ("interrupting", "success", "interrupted", ["human"]),
    ],
)
async def test_a_kept_run_stays_with_its_thread_state_and_history(
    client: LangGraphClient, graph: str, run_status: str, thread_status: str, following: list[str], tag: str
) -> None:
    run = await run_and_keep(client, graph, input={}, metadata={"tag": tag})

    assert run["status"] == run_status
    assert [each["run_id"] for each in await client.runs.list(run["thread_id"])] == [run["run_id"]]
    (thread,) = await client.threads.search(metadata={"tag": tag})
    assert thread["thread_id"] == run["thread_id"]
    assert thread["status"] == thread_status
    state = await client.threads.get_state(run["thread_id"])
    assert state["next"] == following
    assert state["values"] == thread["values"]
    assert await checkpoints(client, run) > 1


async def test_the_outcome_of_a_deleted_run_can_still_be_joined(client: LangGraphClient) -> None:
    run = await client.runs.create(None, "chain", input={"n": 5})
    await wait_until_deleted(client, run)

    answer = await client.runs.join(run["thread_id"], run["run_id"])

    assert answer["n"] == 116


async def test_a_list_of_runs_shows_only_the_selected_fields(client: LangGraphClient) -> None:
    run = await run_and_keep(client, "chain", input={})

    selected: list[Any] = await client.runs.list(run["thread_id"], select=["run_id", "status"])
    assert selected == [{"run_id": run["run_id"], "status": "success"}]
    assert await client.runs.list(run["thread_id"], status="error") == []
    assert await client.runs.list(run["thread_id"], offset=1) == []


async def test_the_headers_name_the_run_as_soon_as_it_is_created(client: LangGraphClient) -> None:
    named: list[Any] = []
    run = await client.runs.create(None, "chain", input={}, on_run_created=named.append)
    await client.runs.wait(None, "chain", input={}, on_run_created=named.append)
    await collect(client.runs.stream(None, "chain", input={}, on_run_created=named.append))

    assert named[0]["run_id"] == run["run_id"]
    assert len({uuid.UUID(each["run_id"]) for each in named}) == 3


# When and how it runs


async def test_a_delayed_run_is_pending_until_its_time(client: LangGraphClient) -> None:
    later = await client.runs.create(None, "chain", input={}, after_seconds=3600, on_completion="keep")
    soon = await client.runs.create(None, "chain", input={}, after_seconds=1, on_completion="keep")

    await client.runs.join(soon["thread_id"], soon["run_id"])
    assert (await client.runs.get(later["thread_id"], later["run_id"]))["status"] == "pending"
    await client.runs.cancel(later["thread_id"], later["run_id"])
    assert (await client.runs.get(later["thread_id"], later["run_id"]))["status"] == "interrupted"


async def test_a_run_may_wait_for_a_hundred_years_but_not_longer(client: LangGraphClient) -> None:
    century = 3_155_760_000
    run = await client.runs.create(None, "chain", input={}, after_seconds=century, on_completion="keep")
    assert run["status"] == "pending"
    await client.runs.cancel(run["thread_id"], run["run_id"])
    with pytest.raises(UnprocessableEntityError, match="after_seconds"):
        await client.runs.create(None, "chain", input={}, after_seconds=century + 1)


@pytest.mark.parametrize(
    ("options", "durability", "left"),
    [
        ({}, "async", 5),
        ({"durability": "sync"}, "sync", 5),
        ({"durability": "async"}, "async", 5),
        ({"durability": "exit"}, "exit", 1),
    ],
)
async def test_durability_says_which_checkpoints_stay(
    client: LangGraphClient, options: Any, durability: str, left: int
) -> None:
    run = await run_and_keep(client, "chain", input={}, **options)

    assert run["kwargs"]["durability"] == durability
    assert await checkpoints(client, run) == left


@pytest.mark.filterwarnings("ignore:.checkpoint_during. is deprecated")
@pytest.mark.parametrize(("during", "left"), [(True, 5), (False, 1)])
async def test_the_deprecated_checkpoint_during_does_what_durability_does(
    client: LangGraphClient, during: bool, left: int
) -> None:
    assert await checkpoints(client, await run_and_keep(client, "chain", input={}, checkpoint_during=during)) == left


@pytest.mark.parametrize(
    ("options", "n", "following"),
    [
        ({"interrupt_before": ["b"]}, 1, ["b"]),
        ({"interrupt_after": ["b"]}, 11, ["c"]),
        ({"interrupt_before": "*"}, 0, ["a"]),
        ({"interrupt_after": "*"}, 1, ["b"]),
    ],
)
async def test_a_run_stops_before_or_after_the_named_nodes(
    client: LangGraphClient, options: Any, n: int, following: list[str]
) -> None:
    run = await run_and_keep(client, "chain", input={"n": 0}, **options)
    thread: Any = await client.threads.get(run["thread_id"])

    assert (run["status"], thread["status"]) == ("success", "interrupted")
    assert thread["values"]["n"] == n
    assert (await client.threads.get_state(run["thread_id"]))["next"] == following


async def test_feedback_keys_are_kept_and_no_urls_are_invented(client: LangGraphClient) -> None:
    item: Any = {"assistant_id": "chain", "input": {}, "feedback_keys": ["score"], "on_completion": "keep"}
    runs: list[Any] = await client.runs.create_batch([item])
    parts = await collect(client.runs.stream(None, "chain", input={}, feedback_keys=["score"]))

    assert runs[0]["kwargs"]["feedback_keys"] == ["score"]
    assert set(event_names(parts)) == {"metadata", "values"}


async def test_what_concerns_threads_is_accepted_without_one(client: LangGraphClient) -> None:
    for_threads: Any = {"multitask_strategy": "reject", "if_not_exists": "create"}
    run = await client.runs.create(None, "chain", input={}, **for_threads)

    assert run["multitask_strategy"] == "reject"
    assert (await client.runs.create(None, "chain", input={}))["multitask_strategy"] == "enqueue"


# Webhooks


@pytest.mark.parametrize("on_completion", ["keep", "delete"])
async def test_a_webhook_gets_the_finished_run_with_its_values(
    client: LangGraphClient, listener: WebhookListener, on_completion: Any
) -> None:
    run = await client.runs.create(
        None, "chain", input={"n": 1}, webhook=listener.url, on_completion=on_completion, metadata={"k": "v"}
    )
    called = await listener.receive()

    assert (called["run_id"], called["status"]) == (run["run_id"], "success")
    assert called["values"]["n"] == 112
    assert called["metadata"]["k"] == "v"
    assert called["kwargs"]["input"] == {"n": 1}


async def test_a_webhook_gets_the_error_of_a_failed_run(client: LangGraphClient, listener: WebhookListener) -> None:
    await client.runs.create(None, "failing", input={}, webhook=listener.url)
    called = await listener.receive()

    assert called["status"] == "error"
    assert called["error"] == {"error": "ValueError", "message": "boom from failing graph"}


async def test_a_webhook_is_called_for_each_run_of_a_batch(client: LangGraphClient, listener: WebhookListener) -> None:
    items = batch_payload("chain", ({"n": place} for place in range(5)), webhook=listener.url)
    runs = await client.runs.create_batch(items)
    called = [await listener.receive() for _ in runs]

    assert {call["run_id"] for call in called} == {run["run_id"] for run in runs}


async def test_webhooks_to_the_own_network_are_refused_where_they_are_not_allowed(
    client: LangGraphClient,
) -> None:
    with pytest.raises(UnprocessableEntityError, match="ftp"):
        await client.runs.create(None, "chain", webhook="ftp://example.org/hook")
