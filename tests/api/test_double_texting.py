"""Double texting: what happens to a thread's running run when the user sends the next message already."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError
from langgraph_sdk.schema import Run

from tests.gate import UNHELD, Gate

from .run_streams import collect, event_names, under_way
from .waiting import wait_for_status, wait_until_deleted

pytestmark = pytest.mark.postgres(always=True, cluster=True)

SECOND = {**UNHELD, "label": "second"}


@pytest.fixture
async def first(client: LangGraphClient, gate: Gate) -> Run:
    """A run in the middle of its work, on a thread that has done some before."""
    thread = await client.threads.create()
    await client.runs.wait(thread["thread_id"], "gated", input={**UNHELD, "label": "zeroth"})
    run = await client.runs.create(
        thread["thread_id"], "gated", input=gate.input("first"), stream_mode=["custom"], stream_resumable=True
    )
    async for part in client.runs.join_stream(run["thread_id"], run["run_id"], last_event_id="-1"):
        if part.event == "custom":
            return run
    raise AssertionError("it never got to its second node")


async def test_reject_refuses_the_second_and_leaves_the_first_alone(
    client: LangGraphClient, first: Run, gate: Gate
) -> None:
    for send in (client.runs.create, client.runs.wait):
        with pytest.raises(Exception, match=r"409|already running"):
            await send(first["thread_id"], "gated", input=SECOND, multitask_strategy="reject")
    with pytest.raises(ConflictError, match="already running a task"):
        await collect(client.runs.stream(first["thread_id"], "gated", input=SECOND, multitask_strategy="reject"))

    gate.open()
    answer: Any = await client.runs.join(first["thread_id"], first["run_id"])
    assert answer["log"][-2:] == ["first in", "first out"]
    assert len(await client.runs.list(first["thread_id"])) == 2

    # Nothing is refused once the thread is free again.
    answer = await client.runs.wait(first["thread_id"], "gated", input=SECOND, multitask_strategy="reject")
    assert answer["log"][-2:] == ["second in", "second out"]


async def test_enqueue_lets_the_second_begin_when_the_first_has_ended(
    client: LangGraphClient, first: Run, gate: Gate
) -> None:
    second = await client.runs.create(first["thread_id"], "gated", input=SECOND, multitask_strategy="enqueue")
    assert (await client.runs.get(first["thread_id"], second["run_id"]))["status"] == "pending"
    assert (await client.runs.get(first["thread_id"], first["run_id"]))["status"] == "running"

    gate.open()
    answer = await client.runs.join(first["thread_id"], second["run_id"])

    assert answer["log"] == ["zeroth in", "zeroth out", "first in", "first out", "second in", "second out"]
    assert {run["status"] for run in await client.runs.list(first["thread_id"])} == {"success"}


async def test_interrupt_stops_the_first_and_the_second_goes_on_from_its_progress(
    client: LangGraphClient, first: Run
) -> None:
    answer: Any = await client.runs.wait(first["thread_id"], "gated", input=SECOND, multitask_strategy="interrupt")

    assert answer["log"] == ["zeroth in", "zeroth out", "first in", "second in", "second out"]
    await wait_for_status(client, first, "interrupted")
    assert (await client.threads.get(first["thread_id"]))["status"] == "idle"


async def test_rollback_undoes_the_first_and_the_second_goes_on_from_before_it(
    client: LangGraphClient, first: Run
) -> None:
    answer: Any = await client.runs.wait(first["thread_id"], "gated", input=SECOND, multitask_strategy="rollback")

    assert answer["log"] == ["zeroth in", "zeroth out", "second in", "second out"]
    with pytest.raises(NotFoundError):
        await client.runs.get(first["thread_id"], first["run_id"])


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_runs_that_only_wait_give_way_too(client: LangGraphClient, first: Run, strategy: Any) -> None:
    waiting = await client.runs.create(first["thread_id"], "gated", input={**UNHELD, "label": "waiting"})

    answer: Any = await client.runs.wait(first["thread_id"], "gated", input=SECOND, multitask_strategy=strategy)

    assert "waiting in" not in answer["log"]
    assert answer["log"][-2:] == ["second in", "second out"]
    if strategy == "interrupt":
        await wait_for_status(client, waiting, "interrupted")
    else:
        await wait_until_deleted(client, waiting)


async def test_a_run_that_is_to_start_later_counts_as_company(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    later = await client.runs.create(thread, "gated", input=SECOND, after_seconds=3600)
    assert (await client.threads.get(thread))["status"] == "busy"

    with pytest.raises(ConflictError):
        await client.runs.create(thread, "gated", input=SECOND, multitask_strategy="reject")
    await client.runs.wait(thread, "gated", input=SECOND)
    assert (await client.runs.get(thread, later["run_id"]))["status"] == "pending"
    await client.runs.wait(thread, "gated", input=SECOND, multitask_strategy="interrupt")

    assert (await client.runs.get(thread, later["run_id"]))["status"] == "interrupted"
    assert (await client.threads.get(thread))["status"] == "idle"


async def test_who_watches_the_first_sees_it_end(client: LangGraphClient, first: Run) -> None:
    watcher = client.runs.join_stream(first["thread_id"], first["run_id"], last_event_id="-1")
    await anext(watcher)
    joiner = await under_way(client, client.runs.join(first["thread_id"], first["run_id"]))

    await client.runs.wait(first["thread_id"], "gated", input=SECOND, multitask_strategy="interrupt")

    assert set(event_names(await collect(watcher))) <= {"custom", "error"}
    await joiner


async def test_of_many_at_once_that_refuse_company_one_gets_the_thread(client: LangGraphClient, gate: Gate) -> None:
    thread = (await client.threads.create())["thread_id"]
    sent = await asyncio.gather(
        *(
            client.runs.create(thread, "gated", input=gate.input(str(place)), multitask_strategy="reject")
            for place in range(20)
        ),
        return_exceptions=True,
    )

    (accepted,) = [each for each in sent if isinstance(each, dict)]
    assert sum(isinstance(each, ConflictError) for each in sent) == 19
    assert [run["run_id"] for run in await client.runs.list(thread)] == [accepted["run_id"]]


async def test_of_many_at_once_that_interrupt_the_last_one_succeeds(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    runs = await asyncio.gather(
        *(
            client.runs.create(thread, "gated", input={**UNHELD, "label": str(place)}, multitask_strategy="interrupt")
            for place in range(20)
        )
    )
    ended = [await wait_for_status(client, run, "success", "interrupted") for run in runs]

    (newest, *_) = await client.runs.list(thread, limit=1)
    assert newest["status"] == "success"
    assert {run["status"] for run in ended} <= {"success", "interrupted"}
    state: Any = await client.threads.get_state(thread)
    log = state["values"]["log"]
    assert len(log) == len(set(log))
