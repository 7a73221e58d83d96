"""Ending runs before their time: by a client that leaves, by a cancel request, one by one or many at once."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import APIStatusError, NotFoundError, UnprocessableEntityError

from tests.gate import UNHELD, Gate
from tests.live_server import LiveServer

from .batches import batch_payload
from .ended_runs import run_and_keep
from .run_streams import read_until
from .waiting import wait_for_status, wait_for_thread_status, wait_until, wait_until_deleted

pytestmark = pytest.mark.postgres(cluster=True)

# Clients that go away


async def begun_stream(client: LangGraphClient, gate: Gate, **options: Any) -> tuple[Any, Any]:
    """The stream of a run that has begun to speak, and the run, on a thread that was made for it."""
    named: list[Any] = []
    stream: Any = client.runs.stream(  # the client's type lacks aclose
        None,
        "gated",
        input=gate.input(),
        stream_mode="custom",
        metadata={"gate": str(gate.path)},
        on_completion="keep",
        on_run_created=named.append,
        **options,
    )
    await read_until(stream, "custom")
    (thread,) = await client.threads.search(metadata={"gate": str(gate.path)})
    return stream, {"thread_id": thread["thread_id"], "run_id": named[0]["run_id"]}


async def test_a_run_goes_on_when_the_client_of_its_stream_leaves(client: LangGraphClient, gate: Gate) -> None:
    stream, run = await begun_stream(client, gate)
    await stream.aclose()
    gate.open()

    assert (await client.runs.join(run["thread_id"], run["run_id"]))["log"] == ["x in", "x out"]


async def test_a_run_ends_with_its_stream_when_the_client_asked_for_that(client: LangGraphClient, gate: Gate) -> None:
    stream, run = await begun_stream(client, gate, on_disconnect="cancel")
    await stream.aclose()

    await wait_for_status(client, run, "interrupted")
    await wait_for_thread_status(client, run["thread_id"], "interrupted")


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
    run: Any = await asyncio.wait_for(created, 60)
    await wait_for_status(client, run, "running")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    await wait_for_status(client, run, "interrupted")


# Runs without a thread of the client's


async def test_cancelling_interrupts_a_running_run_and_keeps_its_progress(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(None, "gated", input=gate.input(), on_completion="keep")
    await wait_for_status(client, run, "running")

    await client.runs.cancel(run["thread_id"], run["run_id"], wait=True)

    assert (await client.runs.get(run["thread_id"], run["run_id"]))["status"] == "interrupted"


async def test_cancelling_with_rollback_removes_the_run(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(None, "gated", input=gate.input(), on_completion="keep")
    await wait_for_status(client, run, "running")

    await client.runs.cancel(run["thread_id"], run["run_id"], wait=True, action="rollback")

    with pytest.raises(NotFoundError):
        await client.runs.get(run["thread_id"], run["run_id"])
    assert (await client.threads.get_state(run["thread_id"]))["values"] == {}


async def test_a_cancelled_run_that_nobody_keeps_is_deleted(client: LangGraphClient, gate: Gate) -> None:
    run = await client.runs.create(None, "gated", input=gate.input())
    await wait_for_status(client, run, "running")

    await client.runs.cancel(run["thread_id"], run["run_id"], wait=True)

    await wait_until_deleted(client, run)


async def test_what_has_ended_or_never_was_cannot_be_cancelled(client: LangGraphClient) -> None:
    run = await run_and_keep(client, "chain", input={})

    with pytest.raises(NotFoundError, match="No matching runs to cancel"):
        await client.runs.cancel(run["thread_id"], run["run_id"])
    with pytest.raises(NotFoundError, match="No runs found to cancel"):
        await client.runs.cancel(run["thread_id"], str(uuid.uuid4()))
    assert (await client.runs.get(run["thread_id"], run["run_id"]))["status"] == "success"


async def test_many_runs_are_cancelled_by_status(client: LangGraphClient, gate: Gate) -> None:
    running = await client.runs.create(None, "gated", input=gate.input(), on_completion="keep")
    await wait_for_status(client, running, "running")
    pending = await client.runs.create_batch(
        batch_payload("chain", [{}, {}, {}], after_seconds=3600, on_completion="keep")
    )

    await client.runs.cancel_many(status="pending")
    statuses = {(await client.runs.get(run["thread_id"], run["run_id"]))["status"] for run in pending}
    assert statuses == {"interrupted"}
    assert (await client.runs.get(running["thread_id"], running["run_id"]))["status"] == "running"

    await client.runs.cancel_many(status="all")
    await wait_for_status(client, running, "interrupted")


async def test_bulk_cancelling_needs_runs_or_a_status(client: LangGraphClient) -> None:
    with pytest.raises(UnprocessableEntityError):
        await client.runs.cancel_many()
    with pytest.raises(APIStatusError) as refused:
        await client.runs.cancel_many(thread_id=str(uuid.uuid4()), run_ids=[str(uuid.uuid4())])
    assert refused.value.status_code == 404


# Runs on a thread


async def test_an_interrupted_run_leaves_its_progress_and_can_be_continued(
    client: LangGraphClient, thread: str, gate: Gate
) -> None:
    run = await client.runs.create(thread, "gated", input=gate.input(), stream_mode=["custom"], stream_resumable=True)
    async for part in client.runs.join_stream(thread, run["run_id"], last_event_id="-1"):
        if part.event == "custom":
            break
    await client.runs.cancel(thread, run["run_id"], wait=True, action="interrupt")

    assert (await client.runs.get(thread, run["run_id"]))["status"] == "interrupted"
    assert (await client.threads.get(thread))["status"] == "interrupted"
    state: Any = await client.threads.get_state(thread)
    assert (state["values"]["log"], state["next"]) == (["x in"], ["hold"])
    gate.open()
    continued: Any = await client.runs.wait(thread, "gated", input=None)
    assert continued["log"] == ["x in", "x out"]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_an_interrupted_run_leaves_its_progress_whatever_its_durability(
    client: LangGraphClient, thread: str, gate: Gate, durability: Any
) -> None:
    await client.runs.wait(thread, "gated", input={**UNHELD, "label": "before"})
    run = await client.runs.create(
        thread, "gated", input=gate.input(), stream_mode=["custom"], stream_resumable=True, durability=durability
    )
    async for part in client.runs.join_stream(thread, run["run_id"], last_event_id="-1"):
        if part.event == "custom":
            break
    await client.runs.cancel(thread, run["run_id"])

    state: Any = await client.threads.get_state(thread)
    assert (state["values"]["log"], state["next"]) == (["before in", "before out", "x in"], ["hold"])
    gate.open()
    continued: Any = await client.runs.wait(thread, "gated", input=None)
    assert continued["log"] == ["before in", "before out", "x in", "x out"]


async def test_a_run_that_is_rolled_back_never_was(client: LangGraphClient, thread: str, gate: Gate) -> None:
    await client.runs.wait(thread, "gated", input={**UNHELD, "label": "kept"})
    before = await client.threads.get_history(thread, limit=50)
    run = await client.runs.create(thread, "gated", input=gate.input("undone"), stream_mode=["custom"])
    await wait_for_status(client, run, "running")

    await client.runs.cancel(thread, run["run_id"], wait=True, action="rollback")

    with pytest.raises(NotFoundError):
        await client.runs.get(thread, run["run_id"])
    thread_now: Any = await client.threads.get(thread)
    assert (thread_now["status"], thread_now["values"]["log"]) == ("idle", ["kept in", "kept out"])
    assert await client.threads.get_history(thread, limit=50) == before


async def test_a_run_that_waits_its_turn_can_be_cancelled(client: LangGraphClient, thread: str, gate: Gate) -> None:
    running = await client.runs.create(thread, "gated", input=gate.input("first"))
    waiting = await client.runs.create(thread, "gated", input={**UNHELD, "label": "second"})
    third = await client.runs.create(thread, "gated", input={**UNHELD, "label": "third"})

    await client.runs.cancel(thread, waiting["run_id"])

    assert (await client.runs.get(thread, waiting["run_id"]))["status"] == "interrupted"
    gate.open()
    await client.runs.join(thread, running["run_id"])
    answer = await client.runs.join(thread, third["run_id"])
    assert answer["log"] == ["first in", "first out", "third in", "third out"]


@pytest.mark.parametrize(
    ("reason", "kept"),
    [("taken", "taken: another run has taken its input"), ("no longer needed", "no longer needed"), (None, None)],
)
async def test_a_run_tells_why_it_was_cancelled(
    client: LangGraphClient, http: httpx.AsyncClient, thread: str, gate: Gate, reason: str | None, kept: str | None
) -> None:
    running = await client.runs.create(thread, "gated", input=gate.input("first"), stream_mode=["custom"])
    waiting = await client.runs.create(thread, "gated", input=UNHELD)
    assert waiting["cancel_reason"] is None
    await wait_for_status(client, running, "running")
    given = {} if reason is None else {"reason": reason}
    for run in (waiting, running):
        path = f"/threads/{thread}/runs/{run['run_id']}/cancel"
        assert (await http.post(path, params={"action": "rollback", "reason": "taken"})).status_code == 422
        assert (await http.post(path, params=given)).status_code == 202
        found = await client.runs.get(thread, run["run_id"])
        assert (found["status"], found["cancel_reason"]) == ("interrupted", kept)
    listed: Any = await client.runs.list(thread, select=["cancel_reason"])
    assert listed == [{"cancel_reason": kept}] * 2


async def test_some_runs_of_a_thread_are_cancelled_together(client: LangGraphClient, thread: str, gate: Gate) -> None:
    runs = [await client.runs.create(thread, "gated", input=gate.input(str(place))) for place in range(4)]
    await wait_for_status(client, runs[0], "running")

    await client.runs.cancel_many(thread_id=thread, run_ids=[run["run_id"] for run in runs[:3]])

    for run in runs[:3]:
        await wait_for_status(client, run, "interrupted")
    gate.open()
    answer = await client.runs.join(thread, runs[3]["run_id"])
    assert answer["log"][-2:] == ["3 in", "3 out"]
    await wait_for_thread_status(client, thread, "idle")


async def test_bulk_rollback_removes_the_runs(client: LangGraphClient, thread: str, gate: Gate) -> None:
    runs = [await client.runs.create(thread, "gated", input=gate.input(str(place))) for place in range(2)]
    await wait_for_status(client, runs[0], "running")

    await client.runs.cancel_many(thread_id=thread, run_ids=[run["run_id"] for run in runs], action="rollback")

    await wait_until(lambda: client.runs.list(thread), lambda left: not left)
    assert (await client.threads.get_state(thread))["values"] == {}
