"""Whoever retries the items of a batch makes runs, and has to be allowed to."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import Auth

from runyard.generated.models import Assistant
from runyard.handlers.api.batch_access import retry_item
from runyard.runtime.auth.principal import principal_of
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.auth.rules import Rules
from runyard.runtime.auth.user import read_user
from runyard.runtime.config.project import WebhookPolicy
from runyard.runtime.errors import NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.services.batch_results import BatchResults
from runyard.runtime.services.new_runs import RunRules
from runyard.runtime.storage.port.queue import FinishRequest
from runyard.runtime.storage.port.runs import Lane, NewBatch, NewRun
from runyard.runtime.storage.sqlite.storage import SqliteStorage

ANY = Scope.everything()
ASSISTANT = str(uuid.UUID(int=7))


class NoWorkers:
    def wake(self, count: int) -> None:
        """Nobody works here."""


@dataclass
class Project:
    """Handlers, and what they were asked."""

    refuses: int | None = None
    assistants: dict[str, Any] | None = None
    asked: list[str] = field(default_factory=list)

    def principal(self) -> Any:
        auth = Auth()

        @auth.on.threads.create_run
        async def make(ctx: Auth.types.AuthContext, value: Any) -> bool:
            self.asked.append("threads.create_run")
            assert value["kwargs"]["config"]["configurable"]["own"] == value["kwargs"]["input"]["n"]
            value["metadata"]["by"] = value["kwargs"]["config"]["configurable"]["by"] = ctx.user.identity
            return bool(value["kwargs"]["input"]["n"] != self.refuses)

        @auth.on.assistants.read
        async def read(ctx: Auth.types.AuthContext, value: Any) -> Any:
            self.asked.append("assistants.read")
            return self.assistants

        return principal_of(read_user("eve"), Rules(auth, timeout=5))


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    yield storage
    storage.close()


@pytest.fixture
def service(storage: SqliteStorage) -> BatchResults:
    told: Any = NoWorkers()
    return BatchResults(storage, told, RunRules(webhooks=WebhookPolicy()))


def new_run(place: int) -> NewRun:
    configurable = {"own": place, "by": "ann"}
    return NewRun(
        run_id=str(uuid.uuid4()),
        thread_id=str(uuid.uuid4()),
        assistant_id=ASSISTANT,
        graph_id="chain",
        lane=Lane.BATCH,
        delay=0.0,
        strategy="enqueue",
        metadata={"by": "ann", "n": place},
        kwargs={
            "input": {"n": place},
            "config": {"configurable": configurable},
            "context": {**configurable},
            "stream_mode": ["values"],
        },
        thread_metadata={"by": "ann"},
        temporary=False,
    )


@pytest.fixture
async def batch_id(storage: SqliteStorage) -> str:
    """A batch of three runs, which failed."""
    time = "2026-01-01T00:00:00+00:00"
    assistant = Assistant(
        assistant_id=ASSISTANT,
        graph_id="chain",
        config={},
        context={},
        created_at=time,
        updated_at=time,
        metadata={"owner": "ann"},
        version=1,
        name="chain",
        description=None,
    )
    await storage.assistants.create(ANY, assistant, "raise")
    batch = NewBatch(batch_id=str(uuid.uuid4()))
    await storage.runs.insert(ANY, [new_run(place) for place in range(3)], batch)
    for leased in await storage.queue.claim("worker", limit=3, interactive=3):
        await storage.queue.finish(
            FinishRequest(
                lease=leased.lease,
                status="error",
                answer=b'{"__error__":{"error":"ValueError","message":"boom"}}',
                values=None,
                interrupts=b"{}",
                error=None,
                paused=False,
                temporary=False,
                spilled=False,
            )
        )
    return batch.batch_id


async def retried(service: BatchResults, batch_id: str, project: Project) -> int:
    """How many runs wait afterwards."""
    allow = partial(retry_item, project.principal())
    batch = await service.retry(ANY, batch_id, statuses=["error"], allow=allow)
    return batch.counts.pending


async def test_a_retry_is_asked_about_as_the_runs_that_it_makes(
    storage: SqliteStorage, service: BatchResults, batch_id: str
) -> None:
    project = Project()
    assert await retried(service, batch_id, project) == 3
    assert {*project.asked} == {"threads.create_run", "assistants.read"}
    for run in await storage.batches.runs(ANY, batch_id, statuses=None, limit=9, offset=0) or []:
        assert run.metadata["by"] == run.kwargs["config"]["configurable"]["by"] == run.kwargs["context"]["by"] == "eve"


async def test_one_run_that_is_not_allowed_refuses_the_retry(
    storage: SqliteStorage, service: BatchResults, batch_id: str
) -> None:
    with pytest.raises(Refusal):
        await retried(service, batch_id, Project(refuses=2))
    found = await storage.batches.get(ANY, batch_id)
    assert found is not None
    assert (found.counts.pending, found.counts.error) == (0, 3)


async def test_an_assistant_out_of_reach_is_not_run_by_a_retry(service: BatchResults, batch_id: str) -> None:
    with pytest.raises(NotFound, match="Assistant"):
        await retried(service, batch_id, Project(assistants={"owner": "eve"}))
