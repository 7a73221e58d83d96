"""Crons through the stock client: created, found, changed, deleted, and the runs that they make each second."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import BadRequestError, NotFoundError, UnprocessableEntityError
from langgraph_sdk.schema import Run

from tests.gate import Gate
from tests.live_server import LiveServer, poll
from tests.webhook_listener import WebhookListener

from .waiting import wait_for_status, wait_for_thread_status, wait_until

pytestmark = pytest.mark.postgres

YEARLY = "0 0 1 1 *"
EACH_SECOND = "* * * * * *"


@pytest.fixture(autouse=True)
async def _no_cron_outlives_its_test(client: LangGraphClient) -> AsyncIterator[None]:
    yield
    for cron in await client.crons.search(limit=1000):
        await client.crons.delete(cron["cron_id"])


async def runs_on(client: LangGraphClient, thread: str, at_least: int) -> list[Run]:
    return await wait_until(lambda: client.runs.list(thread, limit=1000), lambda runs: len(runs) >= at_least)


def dates(run: Run) -> datetime:
    return datetime.fromisoformat(str(run["created_at"]))


# The runs


async def test_a_cron_makes_an_ordinary_run_on_its_thread_each_time(
    client: LangGraphClient, thread: str, tag: str
) -> None:
    cron: Any = await client.crons.create_for_thread(
        thread, "chain", schedule=EACH_SECOND, input={"n": 1}, metadata={"tag": tag}
    )
    assert (cron["thread_id"], cron["on_run_completed"]) == (thread, None)
    await runs_on(client, thread, 2)
    await client.crons.delete(cron["cron_id"])
    *_, first = await client.runs.list(thread, limit=1000)
    run: Any = await wait_for_status(client, first, "success")
    assert run["metadata"] | {"tag": tag, "cron_id": cron["cron_id"], "graph_id": "chain"} == run["metadata"]
    assert run["assistant_id"] == cron["assistant_id"]
    assert run["multitask_strategy"] == "enqueue"
    await wait_for_thread_status(client, thread, "idle")
    assert (await client.threads.get_state(thread))["values"]
    with pytest.raises(NotFoundError):
        await client.crons.delete(cron["cron_id"])


@pytest.mark.full
async def test_each_time_makes_one_run(client: LangGraphClient, thread: str) -> None:
    end = datetime.now(UTC) + timedelta(seconds=2.9)
    cron: Any = await client.crons.create_for_thread(
        thread, "chain", schedule=EACH_SECOND, input={"n": 1}, end_time=end
    )
    first = datetime.fromisoformat(cron["next_run_date"])
    await wait_until(lambda: next_run_date(client, cron), lambda date: date is None)
    times = int((end - first).total_seconds()) + 1
    assert len(await client.runs.list(thread, limit=1000)) == times


async def next_run_date(client: LangGraphClient, cron: Any) -> Any:
    ((found),) = [each for each in await client.crons.search(limit=1000) if each["cron_id"] == cron["cron_id"]]
    return found["next_run_date"]


async def test_runs_with_threads_of_their_own_are_kept_or_deleted(client: LangGraphClient, tag: str) -> None:
    kept: Any = await client.crons.create(
        "chain", schedule=EACH_SECOND, input={"n": 1}, metadata={"tag": tag}, on_run_completed="keep"
    )
    deleted: Any = await client.crons.create(
        "chain", schedule=EACH_SECOND, input={"n": 1}, metadata={"tag": f"not {tag}"}
    )
    assert (kept["on_run_completed"], deleted["on_run_completed"]) == ("keep", "delete")
    await wait_until(
        lambda: client.threads.count(metadata={"cron_id": kept["cron_id"]}, status="idle"), lambda count: count >= 2
    )
    for cron in (kept, deleted):
        await client.crons.delete(cron["cron_id"])
    first, second, *_ = await client.threads.search(metadata={"tag": tag})
    assert first["thread_id"] != second["thread_id"]
    assert await client.runs.list(first["thread_id"])
    await wait_until(lambda: client.threads.count(metadata={"cron_id": deleted["cron_id"]}), lambda count: count == 0)


async def test_every_field_of_a_run_takes_effect(client: LangGraphClient, tag: str, listener: WebhookListener) -> None:
    """As in a run that is asked for: what nodes see, how it is stored, and who is told."""
    asked: Any = {
        "input": {"seen": None},
        "context": {"model_name": "slow", "temperature": 0.5},
        "config": {"tags": ["timed"], "recursion_limit": 9},
        "metadata": {"k": tag},
        "webhook": listener.url,
        "interrupt_after": ["look"],
        "multitask_strategy": "rollback",
        "stream_mode": ["updates", "values"],
        "stream_subgraphs": True,
        "stream_resumable": True,
        "durability": "exit",
    }
    cron: Any = await client.crons.create("configured", schedule=EACH_SECOND, on_run_completed="keep", **asked)
    assert cron["payload"] == {
        **asked,
        "schedule": EACH_SECOND,
        "on_run_completed": "keep",
        "assistant_id": cron["assistant_id"],
        "config": {**asked["config"], "configurable": {"cron_id": cron["cron_id"]}},
    }
    told = await listener.receive()
    await client.crons.delete(cron["cron_id"])
    run: Any = await client.runs.get(told["thread_id"], told["run_id"])
    seen = told["values"]["seen"]
    assert seen["context"] == {"model_name": "slow", "temperature": 0.5}
    assert (seen["tags"], seen["recursion_limit"], seen["metadata"]["k"]) == (["timed"], 9, tag)
    kwargs = run["kwargs"]
    assert kwargs["stream_mode"] == ["updates", "values"]
    assert (kwargs["subgraphs"], kwargs["resumable"], kwargs["durability"]) == (True, True, "exit")
    assert kwargs["interrupt_after"] == ["look"]
    assert kwargs["config"]["configurable"]["cron_id"] == kwargs["context"]["cron_id"] == cron["cron_id"]
    assert run["multitask_strategy"] == "rollback"
    stream = client.runs.join_stream(told["thread_id"], told["run_id"], last_event_id="-1")
    assert "metadata" in [part.event async for part in stream]


async def test_a_time_at_which_the_thread_is_busy_goes_by_the_strategy(
    client: LangGraphClient, thread: str, gate: Gate
) -> None:
    held = await client.runs.create(thread, "gated", input=gate.input())
    rejecting: Any = await client.crons.create_for_thread(
        thread, "chain", schedule=EACH_SECOND, input={"n": 1}, multitask_strategy="reject"
    )
    before = rejecting["next_run_date"]
    await wait_until(lambda: next_run_date(client, rejecting), lambda date: date != before)
    assert [run["run_id"] for run in await client.runs.list(thread)] == [held["run_id"]]
    await client.crons.delete(rejecting["cron_id"])
    taking: Any = await client.crons.create_for_thread(
        thread, "chain", schedule=EACH_SECOND, input={"n": 1}, multitask_strategy="interrupt"
    )
    await wait_for_status(client, held, "interrupted")
    await client.crons.delete(taking["cron_id"])


# What is asked of crons themselves


async def test_crons_are_created_found_changed_and_deleted(client: LangGraphClient, thread: str, tag: str) -> None:
    zone = ZoneInfo("America/New_York")
    cron: Any = await client.crons.create(
        "chain", schedule=YEARLY, timezone=zone, metadata={"tag": tag}, end_time=datetime(2200, 1, 1, tzinfo=UTC)
    )
    assert (cron["timezone"], cron["enabled"], cron["user_id"]) == ("America/New_York", True, None)
    next_year = datetime.now(zone).year + 1
    assert datetime.fromisoformat(cron["next_run_date"]) == datetime(next_year, 1, 1, tzinfo=zone)
    assert datetime.fromisoformat(cron["end_time"]) == datetime(2200, 1, 1, tzinfo=UTC)

    on_thread: Any = await client.crons.create_for_thread(thread, "chain", schedule="@daily", metadata={"tag": tag})
    found = await client.crons.search(metadata={"tag": tag})
    assert found == [on_thread, cron], "newest first"
    assert await client.crons.search(thread_id=thread) == [on_thread]
    assert await client.crons.search(assistant_id=cron["assistant_id"], limit=1, offset=1) == [cron]
    assert await client.crons.search(select=["cron_id", "schedule"], sort_by="next_run_date", sort_order="asc") == [
        {"cron_id": each["cron_id"], "schedule": each["schedule"]} for each in (on_thread, cron)
    ]
    assert await client.crons.count(metadata={"tag": tag}) == 2
    assert await client.crons.count(thread_id=thread) == 1

    changed: Any = await client.crons.update(
        cron["cron_id"], schedule="0 12 24 12 *", timezone="UTC", metadata={"more": 1}, end_time=None, enabled=False
    )
    assert changed["metadata"] == {"tag": tag, "more": 1}
    assert changed["payload"]["metadata"] == {"more": 1}
    assert (changed["end_time"], changed["enabled"]) == (None, False)
    assert changed["next_run_date"].endswith("-12-24T12:00:00.000000+00:00")
    assert await client.crons.search(enabled=False) == [changed]
    await client.crons.delete(cron["cron_id"])
    assert await client.crons.search() == [on_thread]


@pytest.mark.full
async def test_a_cron_that_is_switched_off_makes_no_runs_and_makes_none_up(
    client: LangGraphClient, thread: str
) -> None:
    cron: Any = await client.crons.create_for_thread(
        thread, "chain", schedule=EACH_SECOND, input={"n": 1}, enabled=False
    )
    other = await client.threads.create()
    # Others are due meanwhile.
    await client.crons.create_for_thread(other["thread_id"], "chain", schedule=EACH_SECOND, input={"n": 1})
    await runs_on(client, other["thread_id"], 2)
    assert await client.runs.list(thread) == []
    on: Any = await client.crons.update(cron["cron_id"], enabled=True)
    await runs_on(client, thread, 1)
    first: Any = (await client.runs.list(thread, limit=1000))[-1]
    assert dates(first) >= datetime.fromisoformat(on["next_run_date"]) > datetime.fromisoformat(on["updated_at"])


async def test_changes_hold_for_the_next_runs(client: LangGraphClient, thread: str) -> None:
    cron: Any = await client.crons.create_for_thread(
        thread, "configured", schedule=YEARLY, input={"seen": None}, context={"model_name": "a"}
    )
    with pytest.raises(BadRequestError, match="Cannot specify both"):
        await client.crons.update(cron["cron_id"], config={"configurable": {"b": 1}})
    changed: Any = await client.crons.update(cron["cron_id"], context={"model_name": "b"}, schedule=EACH_SECOND)
    assert changed["payload"]["context"] == {"model_name": "b"}
    (run, *_) = await runs_on(client, thread, 1)
    await client.crons.delete(cron["cron_id"])
    seen: Any = await client.runs.join(thread, run["run_id"])
    assert seen["seen"]["context"] == {"model_name": "b"}


async def test_a_cron_ends_with_its_thread_or_its_assistant(client: LangGraphClient, thread: str) -> None:
    assistant = await client.assistants.create("chain")
    await client.crons.create_for_thread(thread, "chain", schedule=YEARLY)
    await client.crons.create(assistant["assistant_id"], schedule=YEARLY)
    stays: Any = await client.crons.create("chain", schedule=YEARLY)
    await client.threads.delete(thread)
    await client.assistants.delete(assistant["assistant_id"])
    assert await client.crons.search() == [stays]


async def test_the_synchronous_client_has_crons_too(live_server: LiveServer, tag: str) -> None:
    with get_sync_client(url=live_server.url, api_key=None) as client:
        thread = client.threads.create()["thread_id"]
        cron: Any = client.crons.create_for_thread(thread, "chain", schedule=EACH_SECOND, input={"n": 1})
        poll(lambda: client.runs.list(thread))
        changed: Any = client.crons.update(cron["cron_id"], enabled=False, metadata={"tag": tag})
        assert client.crons.search(metadata={"tag": tag}) == [changed]
        assert client.crons.count(thread_id=thread) == 1
        client.crons.delete(cron["cron_id"])
        other: Any = client.crons.create("chain", schedule=YEARLY, on_run_completed="keep")
        assert client.crons.search() == [other]


# What is refused


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"schedule": "whenever"}, "Invalid cron schedule: 'whenever'. Reason: .* Example: "),
        ({"schedule": "0 0 30 2 *"}, "There is no such date"),
        ({"timezone": "Mars/Olympus"}, "Invalid timezone: 'Mars/Olympus'. Use IANA timezone format"),
        ({"end_time": "tomorrow"}, "end_time: 'tomorrow' is not a date with time"),
        ({"config": {"callbacks": [1]}}, 'config: "callbacks" has no effect here'),
        ({"webhook": "ftp://example.com"}, "webhook: the scheme 'ftp' cannot be called"),
        ({"on_run_completed": "x"}, "body.on_run_completed"),
    ],
)
async def test_what_would_never_work_is_refused_with_the_reason(
    client: LangGraphClient, http: httpx.AsyncClient, fields: dict[str, Any], detail: str
) -> None:
    refused = await http.post("/runs/crons", json={"assistant_id": "chain", "schedule": YEARLY, **fields})
    assert refused.status_code == 422
    assert re.search(detail, refused.json()["detail"])
    kept: Any = await client.crons.create("chain", schedule=YEARLY)
    with pytest.raises(UnprocessableEntityError, match=f"(?s){detail}"):
        await client.http.patch(f"/runs/crons/{kept['cron_id']}", json=fields)
    assert await client.crons.search() == [kept]


async def test_what_a_cron_names_has_to_be_there(client: LangGraphClient, thread: str) -> None:
    nothing = "00000000-0000-4000-8000-000000000000"
    for name in ("nope", nothing):
        with pytest.raises(NotFoundError, match=f"Assistant '{name}' not found"):
            await client.crons.create(name, schedule=YEARLY)
    with pytest.raises(NotFoundError, match=f"Thread with ID '{nothing}' not found"):
        await client.crons.create_for_thread(nothing, "chain", schedule=YEARLY)
    with pytest.raises(NotFoundError, match=f"Cron '{nothing}' not found"):
        await client.crons.update(nothing, enabled=False)
    with pytest.raises(NotFoundError):
        await client.crons.delete(nothing)
    cron: Any = await client.crons.create_for_thread(thread, "chain", schedule=YEARLY)
    with pytest.raises(UnprocessableEntityError, match="this cron is on a thread"):
        await client.crons.update(cron["cron_id"], on_run_completed="keep")
    over: Any = await client.crons.create("chain", schedule=YEARLY, end_time=datetime(2020, 1, 1, tzinfo=UTC))
    assert over["next_run_date"] is None
