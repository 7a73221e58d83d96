"""The synchronous stock client: every method on runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import SyncLangGraphClient
from langgraph_sdk.errors import NotFoundError

from tests.gate import UNHELD, Gate
from tests.live_server import LiveServer, poll

from .batches import batch_payload
from .run_streams import data_of, event_names


@pytest.fixture
def sync_client(live_server: LiveServer) -> Iterator[SyncLangGraphClient]:
    with get_sync_client(url=live_server.url, api_key=None) as client:
        yield client


@pytest.fixture
def thread(sync_client: SyncLangGraphClient) -> str:
    """A new thread."""
    return sync_client.threads.create()["thread_id"]


def running(client: SyncLangGraphClient, thread: str, gate: Gate) -> Any:
    """A run in the middle of its work."""
    run = client.runs.create(thread, "gated", input=gate.input(), stream_mode=["custom"], stream_resumable=True)
    next(part for part in client.runs.join_stream(thread, run["run_id"], last_event_id="-1") if part.event == "custom")
    return run


def test_a_run_is_created_joined_found_and_deleted(sync_client: SyncLangGraphClient, thread: str) -> None:
    run = sync_client.runs.create(thread, "chain", input={"n": 1}, metadata={"k": "v"})
    answer = sync_client.runs.join(thread, run["run_id"])
    ended: Any = sync_client.runs.get(thread, run["run_id"])

    assert answer["n"] == 112
    assert (ended["status"], ended["metadata"]["k"]) == ("success", "v")
    assert sync_client.runs.list(thread) == [ended]
    sync_client.runs.delete(thread, run["run_id"])
    assert sync_client.runs.list(thread) == []


def test_a_batch_is_created(sync_client: SyncLangGraphClient) -> None:
    runs = sync_client.runs.create_batch(batch_payload("chain", ({"n": place} for place in range(20))))

    answers = [sync_client.runs.join(run["thread_id"], run["run_id"]) for run in runs]
    assert [answer["n"] for answer in answers] == [place + 111 for place in range(20)]


@pytest.mark.parametrize("with_thread", [True, False])
def test_wait_answers_the_values_and_raises_the_error(
    sync_client: SyncLangGraphClient, thread: str, with_thread: bool
) -> None:
    place: Any = thread if with_thread else None

    answer: Any = sync_client.runs.wait(place, "chain", input={"n": 1})
    assert answer["n"] == 112
    with pytest.raises(Exception, match="boom from failing graph"):
        sync_client.runs.wait(place, "failing", input={})


@pytest.mark.parametrize("with_thread", [True, False])
def test_a_stream_has_all_its_events(sync_client: SyncLangGraphClient, thread: str, with_thread: bool) -> None:
    place: Any = thread if with_thread else None

    parts = list(sync_client.runs.stream(place, "chain", input={"n": 1}, stream_mode=["values", "updates"]))

    assert data_of(parts, "values")[-1]["n"] == 112
    assert event_names(parts).count("updates") == 3


def test_a_stream_is_joined_from_any_event(sync_client: SyncLangGraphClient, thread: str) -> None:
    run = sync_client.runs.create(thread, "chain", input={"n": 1}, stream_mode=["updates"], stream_resumable=True)
    whole = list(sync_client.runs.join_stream(thread, run["run_id"], last_event_id="-1"))

    assert event_names(whole) == ["metadata", "updates", "updates", "updates"]
    rest = list(sync_client.runs.join_stream(thread, run["run_id"], last_event_id=whole[1].id))
    assert rest == whole[2:]


def test_a_run_is_cancelled_or_rolled_back(sync_client: SyncLangGraphClient, thread: str, gate: Gate) -> None:
    run = running(sync_client, thread, gate)

    sync_client.runs.cancel(thread, run["run_id"], wait=True)

    assert sync_client.runs.get(thread, run["run_id"])["status"] == "interrupted"
    undone = sync_client.runs.create(thread, "gated", input=gate.input())
    sync_client.runs.cancel(thread, undone["run_id"], action="rollback", wait=True)
    with pytest.raises(NotFoundError):
        sync_client.runs.get(thread, undone["run_id"])


def test_many_runs_are_cancelled_at_once(sync_client: SyncLangGraphClient, thread: str, gate: Gate) -> None:
    run = running(sync_client, thread, gate)
    waiting = sync_client.runs.create(thread, "gated", input=UNHELD)

    sync_client.runs.cancel_many(thread_id=thread, run_ids=[run["run_id"], waiting["run_id"]])

    assert poll(lambda: {each["status"] for each in sync_client.runs.list(thread)} == {"interrupted"})
