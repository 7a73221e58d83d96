"""The service of results: what it says of those that are no longer kept, and the lines that it makes."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.config.project import WebhookPolicy
from runyard.runtime.errors import Conflict, NotFound
from runyard.runtime.maintenance.result_retention import INTERVAL, ResultRetention
from runyard.runtime.scope import Scope
from runyard.runtime.services import batch_results
from runyard.runtime.services.batch_results import BatchResults, ResultLines, result_line
from runyard.runtime.services.new_runs import RunRules
from runyard.runtime.storage.port.queue import FinishRequest
from runyard.runtime.storage.port.results import ItemResult
from runyard.runtime.storage.port.runs import Lane, NewBatch, NewRun
from runyard.runtime.storage.sqlite.storage import SqliteStorage

ANY = Scope.everything()
ERROR = b'{"__error__":{"error":"ValueError","message":"boom"}}'


class NoWorkers:
    """Is told that runs are ready."""

    def __init__(self) -> None:
        self.woken: list[int] = []

    def wake(self, count: int) -> None:
        self.woken.append(count)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    yield storage
    storage.close()


@pytest.fixture
def workers() -> NoWorkers:
    return NoWorkers()


@pytest.fixture
def service(storage: SqliteStorage, workers: NoWorkers) -> BatchResults:
    told: Any = workers
    return BatchResults(storage, told, RunRules(webhooks=WebhookPolicy()))


def new_run(place: int) -> NewRun:
    thread_id, run_id = str(uuid.uuid4()), str(uuid.uuid4())
    ids = {"thread_id": thread_id, "run_id": run_id, "own": place}
    return NewRun(
        run_id=run_id,
        thread_id=thread_id,
        assistant_id=str(uuid.uuid4()),
        graph_id="chain",
        lane=Lane.BATCH,
        delay=0.0,
        strategy="reject",
        metadata={"custom_id": place, "created_by": "me"},
        kwargs={"input": {"n": place}, "config": {"tags": ["t"], "configurable": ids}, "webhook": None},
        thread_metadata={"graph_id": "chain"},
        temporary=True,
    )


async def batch_of(storage: SqliteStorage, count: int, **asked: Any) -> str:
    """A batch with so many items."""
    batch = NewBatch(batch_id=str(uuid.uuid4()), **asked)
    await storage.runs.insert(ANY, [new_run(place) for place in range(count)], batch)
    return batch.batch_id


async def end_next(storage: SqliteStorage, *, answer: bytes = b'{"n":1}') -> None:
    (leased,) = await storage.queue.claim("worker", limit=1, interactive=1)
    await storage.queue.finish(
        FinishRequest(
            lease=leased.lease,
            status="error" if answer == ERROR else "success",
            answer=answer,
            values=None,
            interrupts=b"{}",
            error=None,
            paused=False,
            temporary=True,
            spilled=False,
        )
    )


async def lines(source: ResultLines) -> list[Any]:
    """What is there now."""
    found = b""
    while page := await source.next(0.0):
        found += page
    return [json.loads(line) for line in found.splitlines()]


async def give_up(storage: SqliteStorage) -> None:
    while await ResultRetention(storage.results, -1.0, 2**30).perform() < INTERVAL:
        pass


async def test_results_that_are_no_longer_kept_are_said_to_be(storage: SqliteStorage, service: BatchResults) -> None:
    kept, batch_id = await batch_of(storage, 1, result_ttl=3600.0), await batch_of(storage, 1)
    await end_next(storage)
    await end_next(storage, answer=ERROR)
    reading = await service.read(ANY, batch_id, after=-1, statuses=(), follow=False)
    following = await service.read(ANY, batch_id, after=-1, statuses=(), follow=True)
    await give_up(storage)
    for source in (reading, following):
        with pytest.raises(NotFound, match="were given up while they were read"):
            await source.next(0.0)
    with pytest.raises(NotFound, match="X-Batch-Result-TTL"):
        await service.read(ANY, batch_id, after=-1, statuses=(), follow=False)
    with pytest.raises(Conflict, match="Submit them again"):
        await service.retry(ANY, batch_id, statuses=["error"])
    assert len(await lines(await service.read(ANY, kept, after=-1, statuses=(), follow=False))) == 1


async def test_values_that_were_dropped_are_said_to_be(storage: SqliteStorage, service: BatchResults) -> None:
    batch_id = await batch_of(storage, 3)
    await end_next(storage)
    await end_next(storage, answer=ERROR)
    await end_next(storage)
    await ResultRetention(storage.results, 3600.0, 7).perform()
    found = await lines(await service.read(ANY, batch_id, after=-1, statuses=(), follow=False))
    assert [(line["values_dropped"], line["values"]) for line in found] == [
        (True, None),
        (False, None),
        (False, {"n": 1}),
    ]
    assert found[1]["error"] == {"error": "ValueError", "message": "boom"}


async def test_a_follower_waits_for_the_next_end(
    storage: SqliteStorage, service: BatchResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_results, "LOOK_AGAIN", 0.005)
    batch_id = await batch_of(storage, 2)
    source = await service.read(ANY, batch_id, after=-1, statuses=(), follow=True)
    assert await source.next(0.02) == b""
    waiting = asyncio.create_task(source.next(30.0))
    await end_next(storage)
    assert json.loads(await waiting or b"")["index"] == 0
    await end_next(storage)
    assert json.loads(await source.next(30.0) or b"")["index"] == 1
    assert await source.next(30.0) is None


async def test_a_retry_has_input_configuration_and_metadata_of_the_run_before(
    storage: SqliteStorage, service: BatchResults, workers: NoWorkers
) -> None:
    batch_id = await batch_of(storage, 2)
    await end_next(storage, answer=ERROR)
    before = (await storage.batches.runs(ANY, batch_id, statuses=None, limit=9, offset=0) or [])[0]
    batch = await service.retry(ANY, batch_id, statuses=["error"])
    assert (batch.counts.pending, batch.counts.error) == (2, 0)
    assert workers.woken == [1]
    after = (await storage.batches.runs(ANY, batch_id, statuses=None, limit=9, offset=0) or [])[0]
    assert after.retry_of == before.run_id
    assert after.thread_id != before.thread_id
    assert (after.assistant_id, after.metadata, after.multitask_strategy) == (
        before.assistant_id,
        before.metadata,
        before.multitask_strategy,
    )
    assert after.kwargs["input"] == before.kwargs["input"]
    config, configurable = after.kwargs["config"], after.kwargs["config"]["configurable"]
    assert (config["tags"], configurable["own"]) == (["t"], 0)
    assert (configurable["run_id"], configurable["thread_id"]) == (after.run_id, after.thread_id)


@pytest.mark.parametrize(
    ("status", "answer", "values", "error"),
    [
        ("success", b'{"n":1}', {"n": 1}, None),
        ("success", b'{"__error__":{"mine":1}}', {"__error__": {"mine": 1}}, None),
        ("error", ERROR, None, {"error": "ValueError", "message": "boom"}),
        ("interrupted", b'{"n":2}', {"n": 2}, None),
        ("interrupted", None, None, None),
    ],
)
def test_a_line_has_values_or_an_error(status: Any, answer: bytes | None, values: Any, error: Any) -> None:
    line = result_line(ItemResult(3, 1, str(uuid.uuid4()), None, "x", status, 2, 1, answer))
    assert line.endswith(b"}\n")
    said = json.loads(line)
    assert (said["index"], said["values"], said["error"]) == (3, values, error)
    assert said["values_dropped"] == (answer is None)
