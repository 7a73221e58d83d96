"""Webhook calls: due when a run ends, claimed, finished, postponed."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.storage import Storage

from .backends import Backend
from .builders import (
    claim,
    failed_request,
    finish_request,
    insert,
    ref,
    stateless,
    thread_status,
)

HOOK = "http://127.0.0.1:9/hook"


async def test_a_webhook_is_due_when_its_run_ends(storage: Storage) -> None:
    new_run = await insert(storage, stateless(webhook=HOOK))
    assert await storage.deliveries.next_due() is None
    lease = (await claim(storage, "worker", new_run)).lease
    assert (await storage.queue.finish(finish_request(lease))).webhook
    assert await storage.deliveries.next_due() == 0.0
    (delivery,) = await storage.deliveries.claim(10, 60.0)
    assert (delivery.url, delivery.run_id, delivery.attempt) == (HOOK, new_run.run_id, 1)
    payload = orjson.loads(delivery.payload)
    assert payload["status"] == "success"
    assert payload["values"] == {"n": 111}
    assert payload["run_started_at"] <= payload["run_ended_at"]
    assert await storage.deliveries.claim(10, 60.0) == []
    await storage.deliveries.finish(delivery.delivery_id, 1, delivered=True)
    assert await storage.deliveries.next_due() is None


async def test_every_kind_of_end_is_told_once(storage: Storage) -> None:
    ends = ("failed", "cancelled", "stopped", "reaped", "temporary")
    new_runs = dict(zip(ends, [stateless(webhook=HOOK, temporary=end == "temporary") for end in ends], strict=True))
    leases = {}
    for end in ("failed", "stopped", "temporary"):
        await insert(storage, new_runs[end])
        leases[end] = (await claim(storage, "worker", new_runs[end])).lease
    await insert(storage, new_runs["reaped"])
    await claim(storage, "dead", new_runs["reaped"])
    await insert(storage, new_runs["cancelled"])
    await storage.queue.finish(failed_request(leases["failed"]))
    await storage.runs.cancel(Scope.everything(), [ref(new_runs["cancelled"])], "interrupt")
    await storage.queue.finish(finish_request(leases["stopped"], status="interrupted"))
    await storage.workers.reap("dead", max_attempts=1)
    await storage.queue.finish(finish_request(leases["temporary"], temporary=True))
    told = {one.run_id: orjson.loads(one.payload) for one in await storage.deliveries.claim(10, 60.0)}
    assert told.keys() == {new_run.run_id for new_run in new_runs.values()}
    assert {end: told[new_run.run_id]["status"] for end, new_run in new_runs.items()} == {
        "failed": "error",
        "cancelled": "interrupted",
        "stopped": "interrupted",
        "reaped": "error",
        "temporary": "success",
    }
    assert told[new_runs["failed"].run_id]["error"] == {"error": "ValueError", "message": "boom"}
    assert told[new_runs["reaped"].run_id]["error"]["message"]
    assert await thread_status(storage, new_runs["temporary"].thread_id) is None


async def test_a_run_that_is_undone_is_not_told(storage: Storage) -> None:
    pending, running = stateless(webhook=HOOK), stateless(webhook=HOOK)
    await insert(storage, running)
    lease = (await claim(storage, "worker", running)).lease
    await insert(storage, pending)
    await storage.runs.cancel(Scope.everything(), [ref(pending), ref(running)], "rollback")
    await storage.queue.finish(finish_request(lease, status="interrupted"))
    assert await storage.deliveries.claim(10, 60.0) == []


async def test_a_delivery_that_nobody_finished_comes_again(storage: Storage) -> None:
    new_run = await insert(storage, stateless(webhook=HOOK))
    await storage.queue.finish(finish_request((await claim(storage, "worker", new_run)).lease))
    (first,) = await storage.deliveries.claim(10, -1.0)
    (second,) = await storage.deliveries.claim(10, 60.0)
    assert (first.attempt, second.attempt, second.delivery_id) == (1, 2, first.delivery_id)
    due = await storage.deliveries.next_due()
    assert due is not None
    assert 50 < due <= 60


async def test_the_next_server_calls_at_once_what_the_one_before_had_claimed(backend: Backend, tmp_path: Path) -> None:
    server = backend.make(tmp_path)
    if server.capabilities.several_servers:
        pytest.skip("another server may be calling")
    server.open(maintain=True)
    for _ in range(2):
        new_run = await insert(server, stateless(webhook=HOOK))
        await server.queue.finish(finish_request((await claim(server, "worker", new_run)).lease))
    claimed, postponed = await server.deliveries.claim(2, 600.0)
    await server.deliveries.postpone(postponed.delivery_id, 1, seconds=600.0, error="down")
    server.close()
    server = backend.make(tmp_path)
    server.open(maintain=True)
    assert [delivery.run_id for delivery in await server.deliveries.claim(2, 600.0)] == [claimed.run_id]
    server.close()


async def test_a_late_sender_changes_nothing(storage: Storage) -> None:
    new_run = await insert(storage, stateless(webhook=HOOK))
    await storage.queue.finish(finish_request((await claim(storage, "worker", new_run)).lease))
    (late,) = await storage.deliveries.claim(10, -1.0)
    (holder,) = await storage.deliveries.claim(10, 60.0)
    await storage.deliveries.finish(late.delivery_id, late.attempt, delivered=True)
    await storage.deliveries.postpone(late.delivery_id, late.attempt, seconds=0.0, error="late")
    assert await storage.deliveries.claim(10, 60.0) == []
    await storage.deliveries.postpone(holder.delivery_id, holder.attempt, seconds=-1.0, error="no answer")
    (again,) = await storage.deliveries.claim(10, 60.0)
    assert again.attempt == 3
    assert again.payload == late.payload


async def test_deliveries_are_claimed_by_date_and_in_portions(storage: Storage) -> None:
    new_runs = [await insert(storage, stateless(webhook=f"{HOOK}/{number}")) for number in range(3)]
    for new_run in new_runs:
        await storage.queue.finish(finish_request((await claim(storage, "worker", new_run)).lease))
    claimed = [await storage.deliveries.claim(2, 60.0) for _ in range(3)]
    assert [len(portion) for portion in claimed] == [2, 1, 0]
    assert {one.run_id for portion in claimed for one in portion} == {new_run.run_id for new_run in new_runs}
