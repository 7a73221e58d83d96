"""Runs that take longer than they may are ended without their worker."""

from __future__ import annotations

import orjson
import pytest

from runyard.runtime.errors import LeaseLost
from runyard.runtime.lifecycle import timed_out
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.workers import EndedRun

from .builders import claim, finish_request, idle_thread, insert, on_thread, run_status, stateless

ANSWER = timed_out(1.0)


async def test_only_runs_whose_attempt_took_too_long_are_ended(storage: Storage) -> None:
    first = await insert(storage, stateless())
    lease = (await claim(storage, "worker", first)).lease
    pending = await insert(storage, stateless())
    assert (await storage.workers.end_overdue(3600.0, ANSWER, 10)).ended == []
    result = await storage.workers.end_overdue(-1.0, ANSWER, 10)
    assert result.ended == [EndedRun(first.run_id, first.thread_id, "timeout")]
    assert (await run_status(storage, first), await run_status(storage, pending)) == ("timeout", "pending")
    thread = await storage.threads.get(Scope.everything(), first.thread_id)
    assert thread is not None
    assert thread.status == "error"
    assert (await storage.runs.ended(Scope.everything(), [first.run_id]))[0].answer == ANSWER
    with pytest.raises(LeaseLost):
        await storage.queue.finish(finish_request(lease))
    assert await run_status(storage, first) == "timeout"


async def test_the_next_run_of_the_thread_gets_its_turn(storage: Storage) -> None:
    thread_id = await idle_thread(storage)
    first = await insert(storage, on_thread(thread_id))
    await claim(storage, "worker", first)
    second = await insert(storage, on_thread(thread_id))
    assert (await storage.workers.end_overdue(-1.0, ANSWER, 10)).promoted == 1
    thread = await storage.threads.get(Scope.everything(), thread_id)
    assert thread is not None
    assert (thread.status, thread.error) == ("busy", orjson.loads(ANSWER)["__error__"])
    assert (await claim(storage, "worker", second)).lease.attempt == 1


async def test_a_temporary_thread_goes_with_its_run(storage: Storage) -> None:
    draft = await insert(storage, stateless(temporary=True))
    await claim(storage, "worker", draft)
    assert len((await storage.workers.end_overdue(-1.0, ANSWER, 10)).ended) == 1
    assert await storage.threads.get(Scope.everything(), draft.thread_id) is None
    assert (await storage.runs.ended(Scope.everything(), [draft.run_id]))[0].status == "timeout"


async def test_many_are_ended_in_portions(storage: Storage) -> None:
    for draft in [await insert(storage, stateless()) for _ in range(3)]:
        await claim(storage, "worker", draft)
    assert [len((await storage.workers.end_overdue(-1.0, ANSWER, 2)).ended) for _ in range(3)] == [2, 1, 0]
