"""What runs answered, for as long as it is kept; events of resumable streams; webhook calls."""

from __future__ import annotations

import uuid

import orjson

from runyard.runtime.lifecycle import UNKNOWN
from runyard.runtime.storage.port.events import EventChunk
from runyard.runtime.storage.port.storage import Storage

from .making import claim, ending, failing, on_thread, put, put_thread, stateless, status, thread_status

HOOK = "http://127.0.0.1:9/hook"


async def test_only_runs_that_have_ended_are_told(storage: Storage) -> None:
    pending, running, done = [await put(storage, stateless()) for _ in range(3)]
    unknown = str(uuid.uuid4())
    leases = [leased.lease for leased in await storage.queue.claim("worker", limit=3, interactive=3)]
    await storage.queue.release(leases[0])
    await storage.queue.finish(ending(leases[2]))
    ended = await storage.runs.ended([pending.run_id, running.run_id, done.run_id, unknown])
    assert [(one.run_id, one.status) for one in ended] == [(done.run_id, "success"), (unknown, "error")]
    assert ended[1].answer == UNKNOWN


async def test_outcomes_are_forgotten_when_they_are_old(storage: Storage) -> None:
    kept, temporary = await put(storage, stateless()), await put(storage, stateless(temporary=True, resumable=True))
    leases = [leased.lease for leased in await storage.queue.claim("worker", limit=2, interactive=2)]
    await storage.events.append(leases[1], EventChunk(1, 1, b"event"))
    await storage.queue.finish(ending(leases[0], answer=b'"own answer"'))
    await storage.queue.finish(ending(leases[1], temporary=True))
    assert await storage.runs.forget_outcomes(3600.0, 100) == 0
    assert len(await storage.events.read(temporary.run_id, 0)) == 1
    assert await storage.runs.forget_outcomes(-1.0, 100) == 2
    assert await storage.runs.forget_outcomes(-1.0, 100) == 0
    assert await storage.runs.locate(temporary.run_id) is None
    assert await storage.events.read(temporary.run_id, 0) == []
    assert await status(storage, kept) == "success"
    (ended,) = await storage.runs.ended([kept.run_id])
    assert (ended.status, ended.answer) == ("success", b'{"n":111}'), "joining it answers what the thread holds now"


async def test_outcomes_are_forgotten_in_portions_and_never_those_of_runs_under_way(storage: Storage) -> None:
    drafts = [await put(storage, stateless(temporary=True)) for _ in range(4)]
    leases = [leased.lease for leased in await storage.queue.claim("worker", limit=4, interactive=4)]
    for lease in leases[:3]:
        await storage.queue.finish(ending(lease, temporary=True))
    assert [await storage.runs.forget_outcomes(-1.0, 2) for _ in range(3)] == [2, 1, 0]
    assert await status(storage, drafts[3]) == "running"


async def test_events_are_read_from_behind_a_number(storage: Storage) -> None:
    draft = await put(storage, stateless(resumable=True))
    leased = await claim(storage, "worker", draft)
    assert leased.resumable
    assert await storage.events.last(draft.run_id) == 0
    chunks = [EventChunk(1, 3, b"a"), EventChunk(4, 4, b"b"), EventChunk(5, 12, b"c")]
    for chunk in chunks:
        await storage.events.append(leased.lease, chunk)
    assert await storage.events.last(draft.run_id) == 12
    assert await storage.events.read(draft.run_id, 0) == chunks
    assert await storage.events.read(draft.run_id, 2) == chunks
    assert await storage.events.read(draft.run_id, 3) == chunks[1:]
    assert await storage.events.read(draft.run_id, 12) == []
    assert await storage.events.read(str(uuid.uuid4()), 0) == []


async def test_events_stay_readable_after_the_end_and_go_with_the_run(storage: Storage) -> None:
    draft = await put(storage, stateless(resumable=True))
    lease = (await claim(storage, "worker", draft)).lease
    await storage.events.append(lease, EventChunk(1, 1, b"a"))
    await storage.queue.finish(ending(lease))
    assert len(await storage.events.read(draft.run_id, 0)) == 1
    await storage.runs.delete(draft.thread_id, draft.run_id)
    assert await storage.events.read(draft.run_id, 0) == []


async def test_the_events_of_a_thread_come_run_by_run(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    chunks = [EventChunk(1, 2, b"first"), EventChunk(1, 1, b"second"), EventChunk(2, 2, b"second, later")]
    for mine in (chunks[:1], chunks[1:]):
        draft = await put(storage, on_thread(thread_id, resumable=True))
        lease = (await claim(storage, "worker", draft)).lease
        for chunk in mine:
            await storage.events.append(lease, chunk)
        await storage.queue.finish(ending(lease))
    assert await storage.events.read_thread(thread_id) == chunks
    assert await storage.events.read_thread(str(uuid.uuid4())) == []


async def test_a_webhook_is_due_when_its_run_ends(storage: Storage) -> None:
    draft = await put(storage, stateless(webhook=HOOK))
    assert await storage.deliveries.next_due() is None
    lease = (await claim(storage, "worker", draft)).lease
    assert (await storage.queue.finish(ending(lease))).webhook
    assert await storage.deliveries.next_due() == 0.0
    (delivery,) = await storage.deliveries.claim(10, 60.0)
    assert (delivery.url, delivery.run_id, delivery.attempt) == (HOOK, draft.run_id, 1)
    payload = orjson.loads(delivery.payload)
    assert payload["status"] == "success"
    assert payload["values"] == {"n": 111}
    assert payload["run_started_at"] <= payload["run_ended_at"]
    assert await storage.deliveries.claim(10, 60.0) == []
    await storage.deliveries.finish(delivery.delivery_id, 1, delivered=True)
    assert await storage.deliveries.next_due() is None


async def test_every_kind_of_end_is_told_once(storage: Storage) -> None:
    ends = ("failed", "cancelled", "stopped", "reaped", "temporary")
    drafts = dict(zip(ends, [stateless(webhook=HOOK, temporary=end == "temporary") for end in ends], strict=True))
    leases = {}
    for end in ("failed", "stopped", "temporary"):
        await put(storage, drafts[end])
        leases[end] = (await claim(storage, "worker", drafts[end])).lease
    await put(storage, drafts["reaped"])
    await claim(storage, "dead", drafts["reaped"])
    await put(storage, drafts["cancelled"])
    await storage.queue.finish(failing(leases["failed"]))
    await storage.runs.cancel([(drafts["cancelled"].thread_id, drafts["cancelled"].run_id)], "interrupt")
    await storage.queue.finish_cancelled(ending(leases["stopped"], status="interrupted"), "interrupt")
    await storage.workers.reap("dead", max_attempts=1)
    await storage.queue.finish(ending(leases["temporary"], temporary=True))
    told = {one.run_id: orjson.loads(one.payload) for one in await storage.deliveries.claim(10, 60.0)}
    assert told.keys() == {draft.run_id for draft in drafts.values()}
    assert {end: told[draft.run_id]["status"] for end, draft in drafts.items()} == {
        "failed": "error",
        "cancelled": "interrupted",
        "stopped": "interrupted",
        "reaped": "error",
        "temporary": "success",
    }
    assert told[drafts["failed"].run_id]["error"] == {"error": "ValueError", "message": "boom"}
    assert told[drafts["reaped"].run_id]["error"]["message"]
    assert await thread_status(storage, drafts["temporary"].thread_id) is None


async def test_a_run_that_is_undone_is_not_told(storage: Storage) -> None:
    pending, running = stateless(webhook=HOOK), stateless(webhook=HOOK)
    await put(storage, running)
    lease = (await claim(storage, "worker", running)).lease
    await put(storage, pending)
    await storage.runs.cancel([(pending.thread_id, pending.run_id), (running.thread_id, running.run_id)], "rollback")
    await storage.queue.finish_cancelled(ending(lease, status="interrupted"), "rollback")
    assert await storage.deliveries.claim(10, 60.0) == []


async def test_a_delivery_that_nobody_finished_comes_again(storage: Storage) -> None:
    draft = await put(storage, stateless(webhook=HOOK))
    await storage.queue.finish(ending((await claim(storage, "worker", draft)).lease))
    (first,) = await storage.deliveries.claim(10, -1.0)
    (second,) = await storage.deliveries.claim(10, 60.0)
    assert (first.attempt, second.attempt, second.delivery_id) == (1, 2, first.delivery_id)
    due = await storage.deliveries.next_due()
    assert due is not None
    assert 50 < due <= 60


async def test_a_late_sender_changes_nothing(storage: Storage) -> None:
    draft = await put(storage, stateless(webhook=HOOK))
    await storage.queue.finish(ending((await claim(storage, "worker", draft)).lease))
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
    drafts = [await put(storage, stateless(webhook=f"{HOOK}/{number}")) for number in range(3)]
    for draft in drafts:
        await storage.queue.finish(ending((await claim(storage, "worker", draft)).lease))
    claimed = [await storage.deliveries.claim(2, 60.0) for _ in range(3)]
    assert [len(portion) for portion in claimed] == [2, 1, 0]
    assert {one.run_id for portion in claimed for one in portion} == {draft.run_id for draft in drafts}
