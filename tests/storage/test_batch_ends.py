"""Batches that are cancelled, that are late, whose end is told, and that are deleted."""

from __future__ import annotations

import uuid

import orjson
import pytest

from runyard.runtime.errors import LeaseLost
from runyard.runtime.storage.port.storage import Storage

from .batches import ALL, counted, counts, finish, get, insert_batch
from .builders import claim_all, finish_request

# Cancelling


async def test_a_batch_is_cancelled_in_steps(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 10, max_concurrency=None)
    running = await storage.queue.claim("worker", limit=2, interactive=2)
    batch = await storage.batches.request_cancel(ALL, batch_id)
    assert batch is not None
    assert batch.cancelled_at is not None
    assert batch.status == "running"
    assert await storage.batches.cancelled(10) == [batch_id]
    after: int | None = -1
    ended = 0
    requested: dict[str, str] = {}
    while after is not None:
        stopped = await storage.batches.stop_some(batch_id, after, 3)
        ended += len(stopped.result.ended)
        requested |= stopped.result.requested
        after = stopped.after
    assert (ended, requested) == (8, {run.lease.run_id: "worker" for run in running})
    await finish(storage, *running)
    batch = await get(storage, batch_id)
    assert (batch.status, batch.counts) == ("cancelled", counted(interrupted=10))
    assert await storage.batches.cancelled(10) == []


async def test_an_ended_batch_cannot_be_cancelled(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 1)
    await finish(storage, *await claim_all(storage))
    batch = await storage.batches.request_cancel(ALL, batch_id)
    assert batch is not None
    assert (batch.status, batch.cancelled_at) == ("completed", None)


# Time


async def end_late(storage: Storage) -> list[str]:
    ended, more = [], True
    while more:
        late = await storage.batches.end_late(2)
        ended += [run.run_id for run in late.ended.ended]
        assert {run.status for run in late.ended.ended} <= {"timeout"}
        more = late.more
    return ended


async def test_what_has_not_begun_in_time_is_given_up(storage: Storage) -> None:
    batch_id, runs = await insert_batch(storage, 6, start_within=0.0, item={"webhook": "https://example.com"})
    (leased,) = await storage.queue.claim("worker", limit=1, interactive=1)
    assert await storage.batches.next_late() == 0.0
    assert {*await end_late(storage)} == {run.run_id for run in runs[1:]}
    assert await storage.batches.next_late() is None
    assert await counts(storage, batch_id) == counted(running=1, timeout=5)
    (result,) = await storage.runs.ended(ALL, [runs[1].run_id])
    assert result.status == "timeout"
    assert "X-Batch-Start-Within" in orjson.loads(result.answer)["__error__"]["message"]
    await finish(storage, leased)
    assert (await get(storage, batch_id)).status == "completed"


async def test_what_has_not_ended_in_time_is_stopped(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 5, finish_within=0.0, max_concurrency=2)
    claimed = await claim_all(storage)
    assert len(await end_late(storage)) == 5
    with pytest.raises(LeaseLost):
        await finish(storage, claimed[0])
    batch = await get(storage, batch_id)
    assert (batch.status, batch.counts) == ("completed", counted(timeout=5))


async def test_in_time_nothing_is_late(storage: Storage) -> None:
    await insert_batch(storage, 1, start_within=3600.0, finish_within=7200.0)
    seconds = await storage.batches.next_late()
    assert seconds is not None
    assert 3590 < seconds <= 3600
    assert await end_late(storage) == []
    await finish(storage, *await claim_all(storage))
    assert await storage.batches.next_late() is None


# The end


async def test_a_call_is_made_for_the_end_of_a_batch(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 2, webhook="https://example.com/done", metadata={"a": 1})
    first, second = await claim_all(storage)
    assert not (await storage.queue.finish(finish_request(first.lease))).webhook
    assert await storage.deliveries.claim(10, 60.0) == []
    assert (await storage.queue.finish(finish_request(second.lease))).webhook
    (delivery,) = await storage.deliveries.claim(10, 60.0)
    assert (delivery.url, delivery.batch_id, delivery.run_id) == ("https://example.com/done", batch_id, None)
    told = orjson.loads(delivery.payload)
    assert (told["batch_id"], told["status"], told["counts"]["success"]) == (batch_id, "completed", 2)
    assert told["metadata"] == {"a": 1}


async def test_a_batch_that_was_deleted_before_its_call_is_told_all_the_same(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 1, webhook="https://example.com/done")
    await finish(storage, *await claim_all(storage))
    assert await storage.batches.delete(ALL, batch_id)
    (delivery,) = await storage.deliveries.claim(10, 60.0)
    assert orjson.loads(delivery.payload)["counts"]["success"] == 1


async def remove_leftovers(storage: Storage) -> None:
    while await storage.batches.remove_leftovers():
        pass


async def test_a_deleted_batch_leaves_kept_runs_on_their_threads(storage: Storage) -> None:
    batch_id, (kept,) = await insert_batch(storage, 1)
    await finish(storage, *await claim_all(storage))
    assert await storage.batches.delete(ALL, batch_id)
    await remove_leftovers(storage)
    assert await storage.batches.get(ALL, batch_id) is None
    run = await storage.runs.get(ALL, kept.thread_id, kept.run_id)
    assert run is not None
    assert (run.status, run.batch_id) == ("success", None)


async def test_a_deleted_batch_takes_the_answers_of_temporary_runs_along(storage: Storage) -> None:
    batch_id, (run,) = await insert_batch(storage, 1, item={"temporary": True})
    await finish(storage, *await claim_all(storage), temporary=True)
    assert await storage.runs.locate(ALL, run.run_id) is not None
    assert await storage.batches.delete(ALL, batch_id)
    await remove_leftovers(storage)
    assert await storage.runs.locate(ALL, run.run_id) is None


async def test_a_batch_with_work_is_not_deleted(storage: Storage) -> None:
    batch_id, _ = await insert_batch(storage, 1)
    assert await storage.batches.delete(ALL, batch_id) is False
    await claim_all(storage)
    assert await storage.batches.delete(ALL, batch_id) is False
    assert await counts(storage, batch_id) == counted(running=1)
    assert await storage.batches.delete(ALL, str(uuid.uuid4())) is None


async def test_batches_that_ended_long_ago_are_forgotten(storage: Storage) -> None:
    ended, _ = await insert_batch(storage, 1)
    await finish(storage, *await claim_all(storage))
    waiting, _ = await insert_batch(storage, 1)
    assert await storage.batches.forget(3600.0, 10) == 0
    assert await storage.batches.forget(-1.0, 10) == 1
    assert await storage.batches.get(ALL, ended) is None
    assert await storage.batches.get(ALL, waiting) is not None
