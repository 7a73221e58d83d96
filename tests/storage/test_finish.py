"""The ends of runs, and what they mean to their threads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, NewBlob, WriteRow
from runyard.runtime.storage.port.events import NewEvents
from runyard.runtime.storage.port.runs import CancelAction
from runyard.runtime.storage.port.storage import Storage

from .builders import (
    checkpoint_row,
    claim,
    failed_request,
    finish_request,
    idle_thread,
    insert,
    on_thread,
    ref,
    run_status,
    stateless,
    thread_status,
    write_row,
)


async def test_the_end_of_a_run_settles_its_thread(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.queue.finish(finish_request(lease))
    thread = await storage.threads.get(Scope.everything(), new_run.thread_id)
    assert thread is not None
    assert (thread.status, thread.values, thread.interrupts, thread.error) == ("idle", {"n": 111}, {}, None)
    (ended,) = await storage.runs.ended(Scope.everything(), [new_run.run_id])
    assert (ended.run_id, ended.status, ended.answer) == (new_run.run_id, "success", b'{"n":111}')


async def test_a_pause_leaves_the_thread_interrupted_and_the_run_a_success(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    lease = (await claim(storage, "worker", new_run)).lease
    question: Any = {"task": [{"id": "i", "value": "ok?"}]}
    await storage.queue.finish(finish_request(lease, paused=True, interrupts=json.dumps(question).encode()))
    thread = await storage.threads.get(Scope.everything(), new_run.thread_id)
    assert thread is not None
    assert (thread.status, thread.interrupts) == ("interrupted", question)
    assert await run_status(storage, new_run) == "success"
    answer = await insert(storage, on_thread(new_run.thread_id))
    assert await thread_status(storage, new_run.thread_id) == "busy"
    await storage.queue.finish(finish_request((await claim(storage, "worker", answer)).lease))
    thread = await storage.threads.get(Scope.everything(), new_run.thread_id)
    assert thread is not None
    assert (thread.status, thread.interrupts) == ("idle", {})


async def test_a_failure_shows_in_the_thread_until_a_run_succeeds(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    await storage.queue.finish(failed_request((await claim(storage, "worker", new_run)).lease))
    thread = await storage.threads.get(Scope.everything(), new_run.thread_id)
    assert thread is not None
    error: Any = thread.error
    assert (thread.status, error) == ("error", {"error": "ValueError", "message": "boom"})
    better = await insert(storage, on_thread(new_run.thread_id))
    await storage.queue.finish(finish_request((await claim(storage, "worker", better)).lease))
    thread = await storage.threads.get(Scope.everything(), new_run.thread_id)
    assert thread is not None
    assert (thread.status, thread.error) == ("idle", None)


async def test_a_cancelled_run_leaves_a_paused_thread_paused(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    await storage.queue.finish(finish_request((await claim(storage, "worker", new_run)).lease, paused=True))
    never = await insert(storage, on_thread(new_run.thread_id))
    await storage.runs.cancel(Scope.everything(), [ref(never)], "interrupt")
    assert await thread_status(storage, new_run.thread_id) == "interrupted"


async def test_a_thread_stays_busy_while_a_delayed_run_is_to_come(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    later = await insert(storage, on_thread(new_run.thread_id, delay=3600.0))
    await storage.queue.finish(finish_request((await claim(storage, "worker", new_run)).lease))
    assert await thread_status(storage, new_run.thread_id) == "busy"
    await storage.runs.cancel(Scope.everything(), [ref(later)], "interrupt")
    assert await thread_status(storage, new_run.thread_id) == "idle"


async def test_a_temporary_thread_goes_with_its_run_and_the_answer_stays(storage: Storage) -> None:
    new_run = await insert(storage, stateless(temporary=True))
    leased = await claim(storage, "worker", new_run)
    assert leased.temporary
    await storage.queue.finish(finish_request(leased.lease, temporary=True))
    assert await thread_status(storage, new_run.thread_id) is None
    assert await run_status(storage, new_run) is None
    (ended,) = await storage.runs.ended(Scope.everything(), [new_run.run_id])
    assert (ended.status, ended.answer) == ("success", b'{"n":111}')


async def test_a_temporary_thread_stays_for_a_run_that_was_put_on_it(storage: Storage) -> None:
    first = await insert(storage, stateless(temporary=True))
    lease = (await claim(storage, "worker", first)).lease
    second = await insert(storage, on_thread(first.thread_id))
    assert (await storage.queue.finish(finish_request(lease, temporary=True))).promoted == 1
    assert await thread_status(storage, first.thread_id) == "busy"
    await storage.queue.finish(finish_request((await claim(storage, "worker", second)).lease))
    assert await thread_status(storage, first.thread_id) == "idle"


ENDS = ("finish", "cancel", "roll back", "reap", "reap cancelled", "cancel released", "roll back released", "delete")


@pytest.mark.parametrize("end", ENDS)
async def test_a_temporary_run_leaves_no_checkpoints_however_it_ends(storage: Storage, end: str) -> None:
    new_run = await insert(storage, stateless(temporary=True))
    lease = (await claim(storage, "worker", new_run)).lease
    rows: list[CheckpointRow | WriteRow] = [
        checkpoint_row(new_run.thread_id, "1", run_id=new_run.run_id),
        write_row(new_run.thread_id, "1", run_id=new_run.run_id),
    ]
    await storage.checkpoints.append(lease, rows)
    run = ref(new_run)
    finish = finish_request(lease, temporary=True, spilled=True)
    match end:
        case "finish":
            await storage.queue.finish(finish)
        case "cancel" | "roll back":
            action: CancelAction = "interrupt" if end == "cancel" else "rollback"
            await storage.runs.cancel(Scope.everything(), [run], action)
            await storage.queue.finish(finish)
        case "reap" | "reap cancelled":
            if end == "reap cancelled":
                await storage.runs.cancel(Scope.everything(), [run], "interrupt")
            assert (await storage.workers.reap("worker", max_attempts=1)).ended == [new_run.run_id]
        case "cancel released" | "roll back released":
            await storage.queue.release(lease)
            await storage.runs.cancel(Scope.everything(), [run], "rollback" if end.startswith("roll") else "interrupt")
        case "delete":
            await storage.runs.delete(Scope.everything(), run.thread_id, run.run_id)
    assert await thread_status(storage, new_run.thread_id) is None
    assert await storage.checkpoints.history(new_run.thread_id, None, before=None, limit=None) == []
    assert await storage.checkpoints.blobs(new_run.thread_id, "", {"log": "1"}) == {}


async def test_a_kept_thread_keeps_its_checkpoints_when_a_run_on_it_is_cancelled(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    await storage.checkpoints.append(None, [checkpoint_row(thread_id, "1")])
    new_run = await insert(storage, on_thread(thread_id))
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], "interrupt")
    assert await storage.checkpoints.get(thread_id, "", "1") is not None


async def test_rolling_back_removes_what_the_run_wrote_and_nothing_else(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    await storage.checkpoints.append(None, [checkpoint_row(thread_id, "1", run_id="before")])
    new_run = await insert(storage, on_thread(thread_id))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.checkpoints.append(
        lease,
        [
            checkpoint_row(thread_id, "2", run_id=new_run.run_id, blobs=[NewBlob("log", "2", "msgpack", b"new")]),
            write_row(thread_id, "1", run_id=new_run.run_id),
        ],
    )
    await storage.events.append(lease, [NewEvents(2, b"events")])
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], "rollback")
    finished = await storage.queue.finish(finish_request(lease, status="interrupted"))
    assert not finished.webhook
    assert await run_status(storage, new_run) is None
    assert await storage.events.read(new_run.run_id, 0, size=1000) == []
    (left,) = await storage.checkpoints.history(thread_id, None, before=None, limit=None)
    assert (left.checkpoint_id, left.writes) == ("1", [])
    assert list(await storage.checkpoints.blobs(thread_id, "", {"log": "1"})) == ["log"]
    assert await storage.checkpoints.blobs(thread_id, "", {"log": "2"}) == {}
    thread = await storage.threads.get(Scope.everything(), thread_id)
    assert thread is not None
    assert (thread.status, thread.values) == ("idle", {"n": 111})
