"""Runs without a thread of the client's: every field of the request has its effect."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import APIStatusError, BadRequestError, NotFoundError, UnprocessableEntityError
from langgraph_sdk.schema import Run

from ..live_server import LiveServer
from .conftest import Gate, Listener
from .following import collect, names, read_until, until_gone, until_status, until_thread

SYSTEM = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")


async def kept(client: LangGraphClient, graph: str, **options: Any) -> Run:
    """A run that has ended and whose thread stays."""
    run = await client.runs.create(None, graph, on_completion="keep", **options)
    await client.runs.join(run["thread_id"], run["run_id"])
    return await client.runs.get(run["thread_id"], run["run_id"])


async def checkpoints(client: LangGraphClient, run: Run) -> int:
    return len(await client.threads.get_history(run["thread_id"], limit=50))


# Assistants


async def test_each_graph_has_an_assistant_named_by_a_stable_id(client: LangGraphClient) -> None:
    (found,) = await client.assistants.search(graph_id="chain", metadata={"created_by": "system"})

    assert found["assistant_id"] == str(uuid.uuid5(SYSTEM, "chain"))
    assert await client.assistants.get(found["assistant_id"]) == found
    assert (await client.runs.wait(None, found["assistant_id"], input={"n": 1}))["n"] == 112


@pytest.mark.parametrize(
    ("graph", "out"),
    [("factory", "flavour=hot"), ("async_factory", "flavour=async"), ("lent", "flavour=hot")],
)
async def test_factories_make_the_graph_from_the_config_of_the_run(
    client: LangGraphClient, graph: str, out: str
) -> None:
    answer = await client.runs.wait(None, graph, input={}, config={"configurable": {"flavour": "hot"}})

    assert answer == {"out": out}


async def test_a_graph_reads_and_writes_the_store(client: LangGraphClient, tag: str) -> None:
    first = await client.runs.wait(None, "storeful", input={"key": tag, "value": {"x": 1}})
    second = await client.runs.wait(None, "storeful", input={"key": tag})

    assert first["read"] == {"before": None, "after": {"x": 1}}
    assert second["read"] == {"before": {"x": 1}, "after": {"x": 1}}


# Input and command


@pytest.mark.parametrize("value", [21, 1.5, True, False, [1, [2], None], {"a": {"b": []}}, [], {}])
async def test_input_of_every_json_type_reaches_the_graph(client: LangGraphClient, value: Any) -> None:
    assert await client.runs.wait(None, "shout", input=value) == {"got": value}


async def test_text_as_input_reaches_the_graph_unchanged(client: LangGraphClient) -> None:
    assert await client.runs.wait(None, "shout", input="żółć 🦜 \u2028\"\\'") == "ŻÓŁĆ 🦜 \u2028\"\\'"  # type: ignore[arg-type, comparison-overlap]


@pytest.mark.parametrize("number", [2**53 + 1, -(2**63), 2**64 - 1, 1e-9, 1.7976931348623157e308])
async def test_numbers_come_back_exactly(client: LangGraphClient, number: float) -> None:
    assert await client.runs.wait(None, "shout", input={"number": number}) == {"got": {"number": number}}


@pytest.mark.parametrize(
    ("command", "path", "payload"),
    [
        ({"goto": "three"}, {"three"}, None),
        ({"goto": ["two", "three"]}, {"two", "three"}, None),
        ({"goto": {"node": "three", "input": {"payload": 7}}}, {"three"}, 7),
        ({"goto": [{"node": "three", "input": {"payload": 8}}, {"node": "two", "input": {}}]}, {"two", "three"}, 8),
        ({"update": {"path": ["updated"]}, "goto": "three"}, {"updated", "three"}, None),
        ({"update": [["path", ["pair"]]], "goto": "two"}, {"pair", "two"}, None),
    ],
)
async def test_a_command_goes_to_nodes_and_updates_the_state(
    client: LangGraphClient, command: Any, path: set[str], payload: Any
) -> None:
    answer: Any = await client.runs.wait(None, "hop", command=command)

    # An empty thread starts at its entry too.
    assert set(answer["path"]) == path | {"start", "two"}
    assert answer.get("payload") == payload


async def test_resuming_needs_a_thread(client: LangGraphClient) -> None:
    with pytest.raises(BadRequestError, match="You must provide a thread_id when resuming"):
        await client.runs.create(None, "interrupting", command={"resume": "yes"})


# Metadata, config, context


async def test_metadata_is_on_the_run_its_thread_and_in_the_config_of_its_nodes(client: LangGraphClient) -> None:
    run = await kept(client, "configured", input={}, metadata={"k": "v", "deep": {"x": [1, None]}})
    thread = await client.threads.get(run["thread_id"])

    assert run["metadata"] == {
        "k": "v",
        "deep": {"x": [1, None]},
        "created_by": "system",
        "assistant_id": run["assistant_id"],
    }
    assert thread["metadata"] == {
        "k": "v",
        "deep": {"x": [1, None]},
        "graph_id": "configured",
        "assistant_id": run["assistant_id"],
    }
    assert thread["values"]["seen"]["metadata"] == {"k": "v", "run_attempt": 1, "run_id": run["run_id"]}


async def test_config_reaches_the_nodes(client: LangGraphClient) -> None:
    run = await kept(
        client,
        "configured",
        input={},
        config={"tags": ["t1", "t2"], "recursion_limit": 7, "configurable": {"model_name": "m", "extra": [1]}},
    )
    seen = (await client.threads.get(run["thread_id"]))["values"]["seen"]

    assert (seen["tags"], seen["recursion_limit"]) == (["t1", "t2"], 7)
    assert seen["configurable"] == {"model_name": "m", "extra": [1]}
    assert seen["ids"] == {
        "thread_id": run["thread_id"],
        "run_id": run["run_id"],
        "assistant_id": run["assistant_id"],
        "graph_id": "configured",
    }


async def test_context_reaches_the_nodes_and_is_also_configurable(client: LangGraphClient) -> None:
    answer: Any = await client.runs.wait(None, "configured", input={}, context={"model_name": "m", "temperature": 0.5})

    assert answer["seen"]["context"] == {"model_name": "m", "temperature": 0.5}
    assert answer["seen"]["configurable"] == {"model_name": "m", "temperature": 0.5}


async def test_context_and_configurable_together_are_refused(client: LangGraphClient) -> None:
    with pytest.raises(BadRequestError, match="Cannot specify both configurable and context"):
        await client.runs.create(None, "configured", config={"configurable": {"a": 1}}, context={"b": 2})


async def test_a_recursion_limit_that_is_too_small_ends_the_run_in_error(client: LangGraphClient) -> None:
    answer: Any = await client.runs.wait(None, "chain", input={}, config={"recursion_limit": 2}, raise_error=False)

    assert answer["__error__"]["error"] == "GraphRecursionError"


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
async def test_run_and_thread_are_gone_after_the_end_unless_they_are_to_be_kept(
    client: LangGraphClient, graph: str
) -> None:
    run = await client.runs.create(None, graph, input={}, on_completion="delete")
    assert run["kwargs"]["temporary"]
    await until_gone(client, run)

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
    run = await kept(client, graph, input={}, metadata={"tag": tag})

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
    await until_gone(client, run)

    answer = await client.runs.join(run["thread_id"], run["run_id"])

    assert answer["n"] == 116


async def test_a_list_of_runs_shows_only_the_selected_fields(client: LangGraphClient) -> None:
    run = await kept(client, "chain", input={})

    assert await client.runs.list(run["thread_id"], select=["run_id", "status"]) == [
        {"run_id": run["run_id"], "status": "success"}
    ]
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
    run = await kept(client, "chain", input={}, **options)

    assert run["kwargs"]["durability"] == durability
    assert await checkpoints(client, run) == left


@pytest.mark.filterwarnings("ignore:.checkpoint_during. is deprecated")
@pytest.mark.parametrize(("during", "left"), [(True, 5), (False, 1)])
async def test_the_deprecated_checkpoint_during_does_what_durability_does(
    client: LangGraphClient, during: bool, left: int
) -> None:
    assert await checkpoints(client, await kept(client, "chain", input={}, checkpoint_during=during)) == left


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
    run = await kept(client, "chain", input={"n": 0}, **options)
    thread = await client.threads.get(run["thread_id"])

    assert (run["status"], thread["status"]) == ("success", "interrupted")
    assert thread["values"]["n"] == n
    assert (await client.threads.get_state(run["thread_id"]))["next"] == following


async def test_feedback_keys_are_kept_and_no_urls_are_invented(client: LangGraphClient) -> None:
    item: Any = {"assistant_id": "chain", "input": {}, "feedback_keys": ["score"], "on_completion": "keep"}
    (run,) = await client.runs.create_batch([item])
    parts = await collect(client.runs.stream(None, "chain", input={}, feedback_keys=["score"]))

    assert run["kwargs"]["feedback_keys"] == ["score"]
    assert set(names(parts)) == {"metadata", "values"}


async def test_what_concerns_threads_is_accepted_without_one(client: LangGraphClient) -> None:
    run = await client.runs.create(None, "chain", input={}, multitask_strategy="reject", if_not_exists="create")

    assert run["multitask_strategy"] == "reject"
    assert (await client.runs.create(None, "chain", input={}))["multitask_strategy"] == "enqueue"


# Webhooks


@pytest.mark.parametrize("on_completion", ["keep", "delete"])
async def test_a_webhook_gets_the_finished_run_with_its_values(
    client: LangGraphClient, listener: Listener, on_completion: Any
) -> None:
    run = await client.runs.create(
        None, "chain", input={"n": 1}, webhook=listener.url, on_completion=on_completion, metadata={"k": "v"}
    )
    called = await listener.receive()

    assert (called["run_id"], called["status"]) == (run["run_id"], "success")
    assert called["values"]["n"] == 112
    assert called["metadata"]["k"] == "v"
    assert called["kwargs"]["input"] == {"n": 1}


async def test_a_webhook_gets_the_error_of_a_failed_run(client: LangGraphClient, listener: Listener) -> None:
    await client.runs.create(None, "failing", input={}, webhook=listener.url)
    called = await listener.receive()

    assert called["status"] == "error"
    assert called["error"] == {"error": "ValueError", "message": "boom from failing graph"}


async def test_a_webhook_is_called_for_each_run_of_a_batch(client: LangGraphClient, listener: Listener) -> None:
    runs = await client.runs.create_batch(
        [{"assistant_id": "chain", "input": {"n": place}, "webhook": listener.url} for place in range(5)]
    )
    called = [await listener.receive() for _ in runs]

    assert {call["run_id"] for call in called} == {run["run_id"] for run in runs}


async def test_webhooks_to_the_own_network_are_refused_where_they_are_not_allowed(
    client: LangGraphClient,
) -> None:
    with pytest.raises(UnprocessableEntityError, match="ftp"):
        await client.runs.create(None, "chain", webhook="ftp://example.org/hook")


# Clients that go away


async def test_a_run_goes_on_when_the_client_of_its_stream_leaves(client: LangGraphClient, gate: Gate) -> None:
    named: list[Any] = []
    stream = client.runs.stream(
        None,
        "gated",
        input=gate.input(),
        stream_mode="custom",
        metadata={"gate": str(gate.path)},
        on_completion="keep",
        on_run_created=named.append,
    )
    await read_until(stream, "custom")
    await stream.aclose()  # type: ignore[attr-defined]
    (thread,) = await client.threads.search(metadata={"gate": str(gate.path)})
    gate.open()

    assert (await client.runs.join(thread["thread_id"], named[0]["run_id"]))["log"] == ["x in", "x out"]


async def test_a_run_ends_with_its_stream_when_the_client_asked_for_that(client: LangGraphClient, gate: Gate) -> None:
    named: list[Any] = []
    stream = client.runs.stream(
        None,
        "gated",
        input=gate.input(),
        stream_mode="custom",
        metadata={"gate": str(gate.path)},
        on_completion="keep",
        on_disconnect="cancel",
        on_run_created=named.append,
    )
    await read_until(stream, "custom")
    (thread,) = await client.threads.search(metadata={"gate": str(gate.path)})
    await stream.aclose()  # type: ignore[attr-defined]

    run: Any = {"thread_id": thread["thread_id"], "run_id": named[0]["run_id"]}
    await until_status(client, run, "interrupted")
    await until_thread(client, thread["thread_id"], "interrupted")


async def test_a_run_ends_with_the_wait_for_it_when_the_client_asked_for_that(
    client: LangGraphClient, live_server: LiveServer, gate: Gate
) -> None:
    leaver = get_client(url=live_server.url, api_key=None)
    created: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(
        leaver.runs.wait(
            None,
            "gated",
            input=gate.input(),
            metadata={"gate": str(gate.path)},
            on_completion="keep",
            on_disconnect="cancel",
            on_run_created=created.set_result,
        )
    )
    run: Any = await asyncio.wait_for(created, 30)
    await until_status(client, run, "running")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    await until_status(client, run, "interrupted")


# Cancelling


async def test_cancelling_interrupts_a_running_run_and_keeps_its_progress(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(None, "gated", input=gate.input(), on_completion="keep")
    await until_status(client, run, "running")

    await client.runs.cancel(run["thread_id"], run["run_id"], wait=True)

    assert (await client.runs.get(run["thread_id"], run["run_id"]))["status"] == "interrupted"


async def test_cancelling_with_rollback_removes_the_run(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(None, "gated", input=gate.input(), on_completion="keep")
    await until_status(client, run, "running")

    await client.runs.cancel(run["thread_id"], run["run_id"], wait=True, action="rollback")

    with pytest.raises(NotFoundError):
        await client.runs.get(run["thread_id"], run["run_id"])
    assert (await client.threads.get_state(run["thread_id"]))["values"] == {}


async def test_a_cancelled_run_that_nobody_keeps_is_gone(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(None, "gated", input=gate.input())
    await until_status(client, run, "running")

    await client.runs.cancel(run["thread_id"], run["run_id"], wait=True)

    await until_gone(client, run)


async def test_what_has_ended_or_never_was_cannot_be_cancelled(client: LangGraphClient) -> None:
    run = await kept(client, "chain", input={})

    with pytest.raises(NotFoundError, match="No matching runs to cancel"):
        await client.runs.cancel(run["thread_id"], run["run_id"])
    with pytest.raises(NotFoundError, match="No runs found to cancel"):
        await client.runs.cancel(run["thread_id"], str(uuid.uuid4()))
    assert (await client.runs.get(run["thread_id"], run["run_id"]))["status"] == "success"


async def test_many_runs_are_cancelled_by_status(client: LangGraphClient, gate: Gate) -> None:
    running = await client.runs.create(None, "gated", input=gate.input(), on_completion="keep")
    await until_status(client, running, "running")
    pending = await client.runs.create_batch(
        [{"assistant_id": "chain", "after_seconds": 3600, "on_completion": "keep"} for _ in range(3)]
    )

    await client.runs.cancel_many(status="pending")
    statuses = {(await client.runs.get(run["thread_id"], run["run_id"]))["status"] for run in pending}
    assert statuses == {"interrupted"}
    assert (await client.runs.get(running["thread_id"], running["run_id"]))["status"] == "running"

    await client.runs.cancel_many(status="all")
    await until_status(client, running, "interrupted")


async def test_bulk_cancelling_needs_runs_or_a_status(client: LangGraphClient) -> None:
    with pytest.raises(UnprocessableEntityError):
        await client.runs.cancel_many()
    with pytest.raises(APIStatusError) as refused:
        await client.runs.cancel_many(thread_id=str(uuid.uuid4()), run_ids=[str(uuid.uuid4())])
    assert refused.value.status_code == 404
