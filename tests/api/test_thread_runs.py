"""Runs on a thread: its memory, their order, and what can be looked up, deleted or refused."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError

from tests.gate import UNHELD, Gate
from tests.webhook_listener import WebhookListener

from .ended_runs import run_to_end, user_message
from .run_streams import collect, data_of, event_names
from .waiting import wait_for_status

pytestmark = pytest.mark.postgres(cluster=True)

# Memory


async def test_a_thread_remembers_what_its_runs_left(client: LangGraphClient, thread: str) -> None:
    first: Any = await client.runs.wait(thread, "chain", input={"n": 1})
    second: Any = await client.runs.wait(thread, "chain", input={"n": 1})

    assert (first["n"], second["n"]) == (112, 224)
    assert second["log"] == ["a", "b", "c"] * 2


async def test_a_conversation_grows_by_question_and_answer(client: LangGraphClient, thread: str) -> None:
    for word in ("one", "two"):
        turn: Any = {"messages": [{"role": "user", "content": word}]}
        parts = await collect(client.runs.stream(thread, "echo", input=turn, stream_mode="messages-tuple"))
        assert "".join(chunk["content"] for chunk, _ in data_of(parts, "messages")) == f"echo: {word}"

    state: Any = await client.threads.get_state(thread)
    assert [message["content"] for message in state["values"]["messages"]] == ["one", "echo: one", "two", "echo: two"]


async def test_a_thread_shows_its_last_run(client: LangGraphClient, thread: str, gate: Gate) -> None:
    assert (await client.threads.get(thread))["status"] == "idle"
    run = await client.runs.create(thread, "gated", input=gate.input())
    assert (await client.threads.get(thread))["status"] == "busy"
    gate.open()
    await client.runs.join(thread, run["run_id"])

    seen: Any = await client.threads.get(thread)
    assert seen["status"] == "idle"
    assert seen["values"]["log"] == ["x in", "x out"]
    assert (seen["metadata"]["graph_id"], seen["metadata"]["assistant_id"]) == ("gated", run["assistant_id"])


async def test_a_failed_run_leaves_its_error_on_the_thread_and_the_next_can_go_on(
    client: LangGraphClient, thread: str
) -> None:
    with pytest.raises(Exception, match="boom from failing graph"):
        await client.runs.wait(thread, "failing", input={"fail": True})
    failed: Any = await client.threads.get(thread)
    assert failed["status"] == "error"
    assert failed["error"] == {"error": "ValueError", "message": "boom from failing graph"}

    answer: Any = await client.runs.wait(thread, "failing", input={"fail": False})
    assert answer["log"][-2:] == ["first", "second"]
    healed: Any = await client.threads.get(thread)
    assert (healed["status"], healed["error"]) == ("idle", None)


async def test_another_graph_may_run_on_the_thread(client: LangGraphClient, thread: str) -> None:
    await client.runs.wait(thread, "chain", input={"n": 1})
    await client.runs.wait(thread, "echo", input=user_message("x"))

    seen: Any = await client.threads.get(thread)
    assert seen["metadata"]["graph_id"] == "echo"


async def test_the_thread_that_a_request_names_must_exist_unless_it_is_to_be_made(client: LangGraphClient) -> None:
    thread = str(uuid.uuid4())
    with pytest.raises(NotFoundError, match=r"Thread or assistant not found\."):
        await client.runs.create(thread, "chain", input={"n": 1})
    with pytest.raises(NotFoundError):
        await client.runs.create(thread, "chain", input={"n": 1}, if_not_exists="reject")
    with pytest.raises(NotFoundError):
        await client.threads.get(thread)

    answer: Any = await client.runs.wait(thread, "chain", input={"n": 1}, if_not_exists="create")
    assert answer["n"] == 112
    assert (await client.threads.get(thread))["thread_id"] == thread


async def test_clients_that_make_the_same_thread_at_once_share_it(client: LangGraphClient) -> None:
    thread = str(uuid.uuid4())
    runs = await asyncio.gather(
        *(client.runs.create(thread, "chain", input={"n": 0}, if_not_exists="create") for _ in range(10))
    )
    for run in runs:
        await client.runs.join(thread, run["run_id"])

    state: Any = await client.threads.get_state(thread)
    assert state["values"]["n"] == 1110


async def test_a_run_on_a_thread_stays(client: LangGraphClient, thread: str) -> None:
    run, _ = await run_to_end(client, thread, "chain", input={"n": 1}, on_completion="keep")

    assert run["status"] == "success"
    assert not run["kwargs"]["temporary"]


async def test_a_webhook_of_a_thread_run_gets_the_values_of_the_thread(
    client: LangGraphClient, thread: str, listener: WebhookListener
) -> None:
    await client.runs.wait(thread, "chain", input={"n": 1})
    await client.runs.wait(thread, "chain", input={"n": 1}, webhook=listener.url)

    assert (await listener.receive())["values"]["n"] == 224


async def test_bad_ids_and_options_are_refused(client: LangGraphClient, thread: str) -> None:
    with pytest.raises(UnprocessableEntityError):
        await client.runs.create("not-an-id", "chain")
    with pytest.raises(UnprocessableEntityError):
        await client.runs.create(thread, "chain", multitask_strategy="whatever")  # type: ignore[call-overload]
    with pytest.raises(UnprocessableEntityError, match="Invalid assistant: 'nope'"):
        await client.runs.create(thread, "nope")
    assert await client.runs.list(thread) == []


# Order


async def test_runs_of_a_thread_execute_one_at_a_time_in_the_order_of_their_creation(
    client: LangGraphClient, thread: str
) -> None:
    runs = [await client.runs.create(thread, "gated", input={**UNHELD, "label": str(place)}) for place in range(10)]
    # One that somebody waits for does not overtake those before it.
    last: Any = await client.runs.wait(thread, "gated", input={**UNHELD, "label": "10"})

    assert last["log"] == [word for place in range(11) for word in (f"{place} in", f"{place} out")]
    assert [run["run_id"] for run in await client.runs.list(thread, limit=20)][1:] == [
        run["run_id"] for run in reversed(runs)
    ]


async def test_threads_do_not_wait_for_each_other(client: LangGraphClient, thread: str, gate: Gate) -> None:
    held = await client.runs.create(thread, "gated", input=gate.input())
    await wait_for_status(client, held, "running")

    other = await client.threads.create()
    answer: Any = await client.runs.wait(other["thread_id"], "chain", input={"n": 1})

    assert answer["n"] == 112
    assert (await client.runs.get(thread, held["run_id"]))["status"] == "running"


# Looking up and deleting


async def test_runs_are_listed_newest_first_by_pages_and_status(client: LangGraphClient, thread: str) -> None:
    ids = [(await run_to_end(client, thread, "chain", input={"n": place}))[0]["run_id"] for place in range(3)]
    failed, _ = await run_to_end(client, thread, "failing", input={})

    listed = await client.runs.list(thread)
    assert [run["run_id"] for run in listed] == [failed["run_id"], *reversed(ids)]
    assert [run["run_id"] for run in await client.runs.list(thread, limit=2, offset=1)] == [ids[2], ids[1]]
    assert [run["run_id"] for run in await client.runs.list(thread, status="error")] == [failed["run_id"]]
    assert await client.runs.list(thread, status="pending") == []


async def test_a_deleted_run_is_not_found_and_what_it_did_stays(client: LangGraphClient, thread: str) -> None:
    run, answer = await run_to_end(client, thread, "chain", input={"n": 1})

    await client.runs.delete(thread, run["run_id"])

    for look in (client.runs.get, client.runs.delete):
        with pytest.raises(NotFoundError):
            await look(thread, run["run_id"])
    assert await client.runs.list(thread) == []
    assert (await client.threads.get_state(thread))["values"] == answer


async def test_deleting_a_running_run_stops_it_and_lets_the_next_go_on(
    client: LangGraphClient, thread: str, gate: Gate
) -> None:
    run = await client.runs.create(thread, "gated", input=gate.input("first"))
    await wait_for_status(client, run, "running")
    following = await client.runs.create(thread, "gated", input={**UNHELD, "label": "second"})

    await client.runs.delete(thread, run["run_id"])

    answer = await client.runs.join(thread, following["run_id"])
    assert answer["log"][-2:] == ["second in", "second out"]
    assert "first out" not in answer["log"]


async def test_a_run_of_another_thread_is_not_found(client: LangGraphClient, thread: str) -> None:
    run, _ = await run_to_end(client, thread, "chain", input={"n": 1})
    other = (await client.threads.create())["thread_id"]

    for look in (client.runs.get, client.runs.delete, client.runs.cancel):
        with pytest.raises(NotFoundError):
            await look(other, run["run_id"])
    assert (await client.runs.get(thread, run["run_id"]))["status"] == "success"


# Streams of a whole thread


async def test_the_stream_of_a_thread_follows_one_run_after_the_other(client: LangGraphClient, thread: str) -> None:
    opened = asyncio.Event()
    seen: list[Any] = []

    async def watch() -> None:
        async for part in client.http.stream(f"/threads/{thread}/stream", "GET", on_response=lambda _: opened.set()):
            seen.append(part)
            if len(done()) == 2:
                return

    def done() -> list[str]:
        return [about["run_id"] for about in data_of(seen, "metadata") if about.get("status") == "run_done"]

    watcher = asyncio.create_task(watch())
    await asyncio.wait_for(opened.wait(), 60)
    runs = [await client.runs.create(thread, "chain", input={"n": 1}, stream_mode=["updates"]) for _ in range(2)]
    await asyncio.wait_for(watcher, 60)

    assert done() == [run["run_id"] for run in runs]
    assert all(part.id for part in seen)
    assert event_names(seen).count("updates") == 6
