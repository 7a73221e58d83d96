"""What a thread shows after each kind of end, and how threads are brought up to their checkpoints."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from runyard.generated.models import Thread
from runyard.runtime.errors import Conflict
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.assistants import DefaultAssistant
from runyard.runtime.storage.port.queue import LeasedRun
from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import NewThread, StateEdit, StateReading

from .builders import (
    checkpoint_row,
    claim,
    failed_request,
    finish_request,
    idle_thread,
    insert,
    on_thread,
    ref,
    stateless,
    write_row,
)

QUESTION = b'{"task":[{"id":"i","value":"ok?"}]}'
READ = StateReading(base="c2", values=b'{"n":5}', interrupts=QUESTION, paused=True)


async def shown(storage: Storage, thread_id: str) -> Thread:
    thread = await storage.threads.get(Scope.everything(), thread_id)
    assert thread is not None
    return thread


async def running(storage: Storage, thread_id: str) -> tuple[NewRun, LeasedRun]:
    new_run = await insert(storage, on_thread(thread_id))
    return new_run, await claim(storage, "worker", new_run)


async def save(storage: Storage, leased: LeasedRun, *checkpoint_ids: str) -> None:
    lease = leased.lease
    rows = [checkpoint_row(lease.thread_id, each, run_id=lease.run_id) for each in checkpoint_ids]
    await storage.checkpoints.append(lease, rows)


async def saved(storage: Storage, thread_id: str) -> list[str]:
    found = await storage.checkpoints.history(thread_id, None, before=None, limit=None)
    return sorted(stored.checkpoint_id for stored in found)


async def end_unattended(storage: Storage, end: str, new_run: NewRun, leased: LeasedRun) -> None:
    """Ends the run although its worker does not."""
    match end:
        case "lost at every attempt":
            await storage.workers.reap("worker", max_attempts=1)
        case "lost while it was cancelled":
            await storage.runs.cancel(Scope.everything(), [ref(new_run)], "interrupt")
            await storage.workers.reap("worker", max_attempts=3)
        case "cancelled between two attempts":
            await storage.workers.reap("worker", max_attempts=3)
            await storage.runs.cancel(Scope.everything(), [ref(new_run)], "interrupt")
        case "overdue":
            await storage.workers.end_overdue(-1.0, b'{"__error__":{"error":"TimeoutError","message":""}}', 10)
        case "not recorded":
            answer = b'{"__error__":{"error":"E","message":""}}'
            await storage.workers.fail_attempt(leased.lease, answer, max_attempts=1)
        case "deleted":
            await storage.runs.delete(Scope.everything(), new_run.thread_id, new_run.run_id)


FAILURES = ("lost at every attempt", "overdue", "not recorded")
UNATTENDED = (*FAILURES, "lost while it was cancelled", "cancelled between two attempts", "deleted")


async def test_a_thread_keeps_what_the_end_of_a_run_does_not_say(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    _, leased = await running(storage, thread_id)
    await storage.queue.finish(finish_request(leased.lease, paused=True, interrupts=QUESTION))
    _, leased = await running(storage, thread_id)
    await storage.queue.finish(failed_request(leased.lease, values=None, interrupts=None))

    thread = await shown(storage, thread_id)
    assert (thread.status, thread.values, list(thread.interrupts or {})) == ("error", {"n": 111}, ["task"])


@pytest.mark.parametrize("end", UNATTENDED)
async def test_a_thread_shows_what_a_run_had_reached_that_ended_without_its_worker(storage: Storage, end: str) -> None:
    thread_id = await idle_thread(storage)
    new_run, leased = await running(storage, thread_id)
    await save(storage, leased, "c1", "c2")
    await end_unattended(storage, end, new_run, leased)
    assert await storage.threads.unsettled(10) == await storage.threads.unsettled(1, thread_id) == [thread_id]
    assert (await shown(storage, thread_id)).values == {"n": 111}

    assert await storage.threads.settle(thread_id, READ)

    thread = await shown(storage, thread_id)
    assert (thread.values, list(thread.interrupts or {})) == ({"n": 5}, ["task"])
    assert thread.status == ("error" if end in FAILURES else "interrupted")
    assert (thread.error is not None) == (end in FAILURES)
    assert await storage.threads.unsettled(10) == []
    assert not await storage.threads.settle(thread_id, READ), "once is enough"


async def test_a_thread_whose_state_cannot_be_read_keeps_what_it_shows(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    await end_unattended(storage, "lost at every attempt", *await running(storage, thread_id))
    assert await storage.threads.settle(thread_id, StateReading())
    thread = await shown(storage, thread_id)
    assert (thread.status, thread.values) == ("error", {"n": 111})
    assert await storage.threads.unsettled(10) == []


async def test_what_was_read_before_the_thread_went_on_is_not_shown(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    new_run, leased = await running(storage, thread_id)
    await save(storage, leased, "c1", "c2")
    await end_unattended(storage, "lost at every attempt", new_run, leased)

    _, leased = await running(storage, thread_id)
    assert await storage.threads.unsettled(10) == [], "a run under way sees to it"
    assert not await storage.threads.settle(thread_id, READ)
    await save(storage, leased, "c3")
    await storage.queue.release(leased.lease)
    assert not await storage.threads.settle(thread_id, READ), "it has a newer checkpoint"

    (again,) = await storage.queue.claim("worker", limit=1, interactive=1)
    await storage.queue.finish(finish_request(again.lease))
    assert await storage.threads.unsettled(10) == []


async def test_an_edit_settles_a_thread(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    await end_unattended(storage, "lost at every attempt", *await running(storage, thread_id))
    edit = StateEdit(rows=[], base=None, values=b'{"n":7}', interrupts=b"{}", paused=False)
    await storage.threads.edit_state(Scope.everything(), thread_id, edit)
    assert await storage.threads.unsettled(10) == []


async def test_a_state_is_not_edited_while_a_run_is_to_start_later(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    later = await insert(storage, on_thread(thread_id, delay=3600.0))
    edit = StateEdit(rows=[], base=None, values=b'{"n":7}', interrupts=b"{}", paused=False)
    with pytest.raises(Conflict, match=later.run_id):
        await storage.threads.edit_state(Scope.everything(), thread_id, edit)


async def test_a_copy_has_nothing_of_a_run_under_way(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    _, leased = await running(storage, thread_id)
    await save(storage, leased, "c1")
    await storage.queue.finish(finish_request(leased.lease))
    _, leased = await running(storage, thread_id)
    await save(storage, leased, "c2")
    half = write_row(thread_id, "c1", run_id=leased.lease.run_id)
    await storage.checkpoints.append(leased.lease, [half])

    for what in ("running", "given back"):
        await storage.threads.copy(Scope.everything(), thread_id, target := str(uuid.uuid4()))
        assert await saved(storage, target) == ["c1"], what
        (copied,) = await storage.checkpoints.history(target, None, before=None, limit=None)
        assert copied.writes == [], what
        if what == "running":
            await storage.queue.release(leased.lease)


async def test_a_copy_of_an_unsettled_thread_is_brought_up_too(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    await end_unattended(storage, "lost at every attempt", *await running(storage, thread_id))
    await storage.threads.copy(Scope.everything(), thread_id, target := str(uuid.uuid4()))
    assert {*await storage.threads.unsettled(10)} == {thread_id, target}


async def test_a_thread_that_outlives_its_temporary_run_has_the_checkpoints_that_were_in_memory(
    storage: Storage,
) -> None:
    first = await insert(storage, stateless(temporary=True))
    leased = await claim(storage, "worker", first)
    second = await insert(storage, on_thread(first.thread_id))
    rows = [checkpoint_row(first.thread_id, "c1", run_id=first.run_id)]
    await storage.queue.finish(finish_request(leased.lease, temporary=True, unsaved=lambda: rows))

    assert await saved(storage, first.thread_id) == ["c1"]
    await storage.queue.finish(finish_request((await claim(storage, "worker", second)).lease))
    await storage.runs.forget_outcomes(-1.0, 10)
    assert await storage.runs.get(Scope.everything(), first.thread_id, first.run_id) is not None, (
        "it is a run of a thread that stays"
    )


async def test_what_a_run_has_saved_in_memory_goes_with_its_thread(storage: Storage) -> None:
    first = await insert(storage, stateless(temporary=True))
    leased = await claim(storage, "worker", first)

    def unsaved() -> Any:
        raise AssertionError("nobody needs it")

    await storage.queue.finish(finish_request(leased.lease, temporary=True, unsaved=unsaved))
    assert await storage.threads.get(Scope.everything(), first.thread_id) is None


async def test_a_run_is_cut_back_to_the_last_checkpoint_that_can_be_read(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    _, earlier = await running(storage, thread_id)
    await save(storage, earlier, "c1")
    await storage.queue.finish(finish_request(earlier.lease))
    _, leased = await running(storage, thread_id)
    await save(storage, leased, "c2", "c3")
    writes = [write_row(thread_id, "c2", run_id=leased.lease.run_id)]
    await storage.checkpoints.append(leased.lease, writes)

    await storage.queue.finish(failed_request(leased.lease, values=None, readable="c2"))

    assert await saved(storage, thread_id) == ["c1", "c2"]
    latest = await storage.checkpoints.latest(thread_id, "")
    assert latest is not None
    assert latest.writes == []


@pytest.mark.parametrize("status", ["error", "timeout", "interrupted"])
async def test_a_run_that_failed_says_so_when_its_outcome_is_no_longer_kept(storage: Storage, status: Any) -> None:
    thread_id = await idle_thread(storage)
    new_run, leased = await running(storage, thread_id)
    await storage.queue.finish(failed_request(leased.lease, status=status))
    _, leased = await running(storage, thread_id)
    await storage.queue.finish(finish_request(leased.lease))
    before = await storage.runs.ended(Scope.everything(), [new_run.run_id])

    assert await storage.runs.forget_outcomes(-1.0, 10) > 0
    assert await storage.runs.forget_outcomes(-1.0, 10) == 0

    assert await storage.runs.ended(Scope.everything(), [new_run.run_id]) == before
    assert b"boom" in before[0].answer


async def test_an_assistant_that_is_renewed_is_there_again_as_it_was_at_first(storage: Storage) -> None:
    default = DefaultAssistant(str(uuid.uuid4()), "chain", "chain", None)
    await storage.assistants.ensure_system([default])
    await storage.assistants.change(Scope.everything(), default.assistant_id, lambda assistant: assistant)
    deletion = await storage.assistants.delete(Scope.everything(), default.assistant_id, threads=0, renewed=default)
    assert deletion is not None
    assert deletion.finished
    renewed = await storage.assistants.get(Scope.everything(), default.assistant_id)
    assert renewed is not None
    assert (renewed.version, renewed.metadata) == (1, {"created_by": "system"})


async def test_a_new_thread_has_nothing_to_settle(storage: Storage) -> None:
    await storage.threads.create(
        Scope.everything(), NewThread(thread_id=(thread_id := str(uuid.uuid4())), metadata={}), "raise"
    )
    assert await storage.threads.unsettled(10) == []
    assert not await storage.threads.settle(thread_id, StateReading())
