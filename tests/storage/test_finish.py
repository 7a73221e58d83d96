"""The ends of runs, and what they mean to their threads."""

from __future__ import annotations

import json

import pytest

from runyard.runtime.storage.port.events import EventChunk
from runyard.runtime.storage.port.storage import Storage

from .making import (
    checkpoint,
    claim,
    ending,
    failing,
    on_thread,
    put,
    put_thread,
    stateless,
    status,
    thread_status,
    write,
)


async def test_the_end_of_a_run_settles_its_thread(storage: Storage) -> None:
    draft = await put(storage, stateless())
    lease = (await claim(storage, "worker", draft)).lease
    await storage.queue.finish(ending(lease))
    thread = await storage.threads.get(draft.thread_id)
    assert thread is not None
    assert (thread.status, thread.values, thread.interrupts, thread.error) == ("idle", {"n": 111}, {}, None)
    (ended,) = await storage.runs.ended([draft.run_id])
    assert (ended.run_id, ended.status, ended.answer) == (draft.run_id, "success", b'{"n":111}')


async def test_a_pause_leaves_the_thread_interrupted_and_the_run_a_success(storage: Storage) -> None:
    draft = await put(storage, stateless())
    lease = (await claim(storage, "worker", draft)).lease
    question = {"task": [{"id": "i", "value": "ok?"}]}
    await storage.queue.finish(ending(lease, paused=True, interrupts=json.dumps(question).encode()))
    thread = await storage.threads.get(draft.thread_id)
    assert thread is not None
    assert (thread.status, thread.interrupts) == ("interrupted", question)
    assert await status(storage, draft) == "success"
    answer = await put(storage, on_thread(draft.thread_id))
    assert await thread_status(storage, draft.thread_id) == "busy"
    await storage.queue.finish(ending((await claim(storage, "worker", answer)).lease))
    thread = await storage.threads.get(draft.thread_id)
    assert thread is not None
    assert (thread.status, thread.interrupts) == ("idle", {})


async def test_a_failure_shows_in_the_thread_until_a_run_succeeds(storage: Storage) -> None:
    draft = await put(storage, stateless())
    await storage.queue.finish(failing((await claim(storage, "worker", draft)).lease))
    thread = await storage.threads.get(draft.thread_id)
    assert thread is not None
    assert (thread.status, thread.error) == ("error", {"error": "ValueError", "message": "boom"})
    better = await put(storage, on_thread(draft.thread_id))
    await storage.queue.finish(ending((await claim(storage, "worker", better)).lease))
    thread = await storage.threads.get(draft.thread_id)
    assert thread is not None
    assert (thread.status, thread.error) == ("idle", None)


async def test_a_cancelled_run_leaves_a_paused_thread_paused(storage: Storage) -> None:
    draft = await put(storage, stateless())
    await storage.queue.finish(ending((await claim(storage, "worker", draft)).lease, paused=True))
    never = await put(storage, on_thread(draft.thread_id))
    await storage.runs.cancel([(never.thread_id, never.run_id)], "interrupt")
    assert await thread_status(storage, draft.thread_id) == "interrupted"


async def test_a_thread_stays_busy_while_a_delayed_run_is_to_come(storage: Storage) -> None:
    draft = await put(storage, stateless())
    later = await put(storage, on_thread(draft.thread_id, delay=3600.0))
    await storage.queue.finish(ending((await claim(storage, "worker", draft)).lease))
    assert await thread_status(storage, draft.thread_id) == "busy"
    await storage.runs.cancel([(later.thread_id, later.run_id)], "interrupt")
    assert await thread_status(storage, draft.thread_id) == "idle"


async def test_a_temporary_thread_goes_with_its_run_and_the_answer_stays(storage: Storage) -> None:
    draft = await put(storage, stateless(temporary=True))
    leased = await claim(storage, "worker", draft)
    assert leased.temporary
    await storage.queue.finish(ending(leased.lease, temporary=True))
    assert await thread_status(storage, draft.thread_id) is None
    assert await status(storage, draft) is None
    (ended,) = await storage.runs.ended([draft.run_id])
    assert (ended.status, ended.answer) == ("success", b'{"n":111}')


async def test_a_temporary_thread_stays_for_a_run_that_was_put_on_it(storage: Storage) -> None:
    first = await put(storage, stateless(temporary=True))
    lease = (await claim(storage, "worker", first)).lease
    second = await put(storage, on_thread(first.thread_id))
    assert (await storage.queue.finish(ending(lease, temporary=True))).promoted == 1
    assert await thread_status(storage, first.thread_id) == "busy"
    await storage.queue.finish(ending((await claim(storage, "worker", second)).lease))
    assert await thread_status(storage, first.thread_id) == "idle"


ENDS = ("finish", "cancel", "roll back", "reap", "reap cancelled", "cancel released", "roll back released", "delete")


@pytest.mark.parametrize("end", ENDS)
async def test_a_temporary_run_leaves_no_checkpoints_however_it_ends(storage: Storage, end: str) -> None:
    draft = await put(storage, stateless(temporary=True))
    lease = (await claim(storage, "worker", draft)).lease
    rows = [
        checkpoint(draft.thread_id, "1", run_id=draft.run_id),
        write(draft.thread_id, "1", run_id=draft.run_id),
    ]
    storage.checkpoints.post(lease, rows)
    await storage.checkpoints.flush(lease)
    run = (draft.thread_id, draft.run_id)
    finish = ending(lease, temporary=True, spilled=True)
    match end:
        case "finish":
            await storage.queue.finish(finish)
        case "cancel" | "roll back":
            action = "interrupt" if end == "cancel" else "rollback"
            await storage.runs.cancel([run], action)
            await storage.queue.finish_cancelled(finish, action)
        case "reap" | "reap cancelled":
            if end == "reap cancelled":
                await storage.runs.cancel([run], "interrupt")
            assert (await storage.workers.reap("worker", max_attempts=1)).ended == [draft.run_id]
        case "cancel released" | "roll back released":
            await storage.queue.release(lease)
            await storage.runs.cancel([run], "rollback" if end.startswith("roll") else "interrupt")
        case "delete":
            await storage.runs.delete(*run)
    assert await thread_status(storage, draft.thread_id) is None
    assert storage.checkpoints.history(draft.thread_id, None, before=None, limit=None) == []
    assert storage.checkpoints.blobs(draft.thread_id, "", {"log": "1"}) == {}


async def test_a_kept_thread_keeps_its_checkpoints_when_a_run_on_it_is_cancelled(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    storage.checkpoints.post(None, [checkpoint(thread_id, "1")])
    draft = await put(storage, on_thread(thread_id))
    await storage.runs.cancel([(thread_id, draft.run_id)], "interrupt")
    assert storage.checkpoints.get(thread_id, "", "1") is not None


async def test_rolling_back_removes_what_the_run_wrote_and_nothing_else(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    storage.checkpoints.post(None, [checkpoint(thread_id, "1", run_id="before")])
    draft = await put(storage, on_thread(thread_id))
    lease = (await claim(storage, "worker", draft)).lease
    storage.checkpoints.post(
        lease,
        [
            checkpoint(thread_id, "2", run_id=draft.run_id, blobs=[("log", "2", "msgpack", b"new")]),
            write(thread_id, "1", run_id=draft.run_id),
        ],
    )
    await storage.events.append(lease, EventChunk(1, 2, b"events"))
    await storage.runs.cancel([(thread_id, draft.run_id)], "rollback")
    finished = await storage.queue.finish_cancelled(ending(lease, status="interrupted"), "rollback")
    assert not finished.webhook
    assert await status(storage, draft) is None
    assert await storage.events.read(draft.run_id, 0) == []
    (left,) = storage.checkpoints.history(thread_id, None, before=None, limit=None)
    assert (left.checkpoint_id, left.writes) == ("1", [])
    assert list(storage.checkpoints.blobs(thread_id, "", {"log": "1"})) == ["log"]
    assert storage.checkpoints.blobs(thread_id, "", {"log": "2"}) == {}
    thread = await storage.threads.get(thread_id)
    assert thread is not None
    assert (thread.status, thread.values) == ("idle", {"n": 111})
