"""Who may not see a run is told the same as of one that is not there, and follows nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import orjson
import pytest

from runyard.generated.models import RunCreateStateful, RunsCancel
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.workers import Workers
from runyard.runtime.config.project import WebhookPolicy
from runyard.runtime.errors import NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.services.assistants import Assistants
from runyard.runtime.services.idempotency import Idempotency
from runyard.runtime.services.new_runs import RunRules
from runyard.runtime.services.runs import Runs
from runyard.runtime.services.threads import Threads
from runyard.runtime.services.views import Views
from runyard.runtime.storage.port.assistants import DefaultAssistant
from runyard.runtime.storage.port.threads import NewThread
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from runyard.runtime.streams.broker import Broker
from runyard.runtime.telemetry.metrics import Metrics
from tests.storage.builders import ASSISTANT

ANN = Scope(identity="ann", filter={"owner": "ann"})
BOB = Scope(identity="bob", filter={"owner": "bob"})
STRANGE, NONE = str(uuid.UUID(int=0)), str(uuid.UUID(int=1))


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqliteStorage]:
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    yield storage
    storage.close()


@pytest.fixture
def bus() -> LinkedBus:
    return LinkedBus()


@pytest.fixture
def broker(storage: SqliteStorage, bus: LinkedBus) -> Broker:
    return Broker(storage, bus, Workers(bus, lambda: None), Metrics())


@pytest.fixture
async def runs(storage: SqliteStorage, bus: LinkedBus, broker: Broker) -> Runs:
    await storage.assistants.ensure_system([DefaultAssistant(ASSISTANT, "chain", "chain", None)])
    project: Any = SimpleNamespace(graphs={"chain": SimpleNamespace(config=None)}, unserved={})
    viewer: Any = None
    assistants = Assistants(storage, project, viewer, broker)
    idempotency = Idempotency(storage.idempotency, storage.threads)
    rules = RunRules(webhooks=WebhookPolicy())
    return Runs(storage, broker, Workers(bus, lambda: None), assistants, rules, idempotency)


@pytest.fixture
async def thread_id(storage: SqliteStorage) -> str:
    thread_id = str(uuid.uuid4())
    await storage.threads.create(ANN, NewThread(thread_id=thread_id, metadata={"owner": "ann"}), "raise")
    return thread_id


async def test_a_run_of_somebody_else_is_joined_and_followed_like_none(
    runs: Runs, broker: Broker, thread_id: str
) -> None:
    run = await runs.create(ANN, RunCreateStateful(assistant_id=ASSISTANT), thread_id=thread_id)
    for run_id in (run.run_id, NONE):
        answer = await (await runs.join(BOB, thread_id, run_id)).result(0.0)
        assert answer is not None
        assert orjson.loads(answer)["__error__"]["message"] == "404: Run not found"
        subscription = await runs.follow(BOB, thread_id, run_id, last_event_id=None, modes=None)
        events = await subscription.next(0.0)
        assert events is not None
        assert [event.name for event in events] == ["error"]
        assert await subscription.next(0.0) is None
        with pytest.raises(NotFound, match=run_id):
            await runs.follow_run(BOB, run_id, last_event_id=None, modes=None)
    assert list(broker.interests()) == []


async def test_what_is_refused_does_not_tell_whether_it_is_there(runs: Runs, thread_id: str) -> None:
    run = await runs.create(ANN, RunCreateStateful(assistant_id=ASSISTANT), thread_id=thread_id)

    async def refusals(thread_id: str, run_id: str) -> list[str]:
        request = RunCreateStateful(assistant_id=ASSISTANT)
        refused = []
        for attempt in (
            runs.get(BOB, thread_id, run_id),
            runs.find(BOB, run_id),
            runs.list(BOB, thread_id, limit=1, offset=0, status=None),
            runs.delete(BOB, thread_id, run_id),
            runs.cancel(BOB, thread_id, run_id, action="interrupt"),
            runs.cancel_many(BOB, RunsCancel(thread_id=thread_id), action="rollback"),
            runs.cancel_many(BOB, RunsCancel(run_ids=[run_id]), action="rollback"),
            runs.follow_thread(BOB, thread_id, last_event_id=None, modes=[]),
            runs.create(BOB, request, thread_id=thread_id),
            runs.wait(BOB, request, thread_id=thread_id),
        ):
            with pytest.raises(NotFound) as refusal:
                await attempt
            refused.append(refusal.value.detail.replace(thread_id, "T").replace(run_id, "R"))
        return refused

    assert await refusals(thread_id, run.run_id) == await refusals(STRANGE, NONE)
    assert (await runs.get(ANN, thread_id, run.run_id)).status == "pending"


async def test_streams_end_when_what_they_are_about_is_out_of_reach(
    runs: Runs, storage: SqliteStorage, thread_id: str
) -> None:
    run = await runs.create(ANN, RunCreateStateful(assistant_id=ASSISTANT), thread_id=thread_id)
    streams = [
        await runs.follow(ANN, thread_id, run.run_id, last_event_id=None, modes=None),
        await runs.follow_thread(ANN, thread_id, last_event_id=None, modes=["run_modes", "state_update"]),
    ]
    for stream in streams:
        assert await stream.next(0.0) == []
    await storage.threads.patch(Scope.everything(), thread_id, {"owner": "bob"}, None)
    for stream in streams:
        assert await stream.next(0.0) is None
        await stream.close()


async def test_nothing_is_read_or_settled_for_who_may_not_see_a_thread(storage: SqliteStorage, thread_id: str) -> None:
    looked_at: list[str] = []

    async def settle_one(thread_id: str) -> None:
        looked_at.append(thread_id)

    async def latest_checkpoints(thread_id: str) -> Any:
        looked_at.append(thread_id)
        return "", []

    states: Any = SimpleNamespace(settle_one=settle_one, latest_checkpoints=latest_checkpoints)
    unused: Any = None
    threads = Threads(storage, unused, states, unused, unused)
    views = Views(storage, unused, states, unused, Mock())
    with pytest.raises(NotFound):
        await threads.get(BOB, thread_id)
    assert await views.keep_latest(BOB, thread_id) == b"false"
    assert looked_at == []
    assert (await threads.get(ANN, thread_id)).thread_id == thread_id
    assert await views.keep_latest(ANN, thread_id) == b"true"
    assert looked_at == [thread_id, thread_id]
