"""Runs that take longer than they may are ended without their worker."""

from __future__ import annotations

import orjson
import pytest

from runyard.runtime.errors import LeaseLost
from runyard.runtime.lifecycle import timed_out
from runyard.runtime.storage.port.storage import Storage

from .making import claim, ending, on_thread, put, put_thread, stateless, status, thread_status

ANSWER = timed_out(1.0)


async def test_only_runs_whose_attempt_took_too_long_are_ended(storage: Storage) -> None:
    first = await put(storage, stateless())
    lease = (await claim(storage, "worker", first)).lease
    pending = await put(storage, stateless())
    assert (await storage.queue.end_overdue(3600.0, ANSWER, 10)).ended == []
    result = await storage.queue.end_overdue(-1.0, ANSWER, 10)
    assert result.ended == [(first.run_id, first.thread_id)]
    assert (await status(storage, first), await status(storage, pending)) == ("timeout", "pending")
    assert await thread_status(storage, first.thread_id) == "error"
    assert (await storage.runs.ended([first.run_id]))[0].answer == ANSWER
    with pytest.raises(LeaseLost):
        await storage.queue.finish(ending(lease))
    assert await status(storage, first) == "timeout"


async def test_the_next_run_of_the_thread_gets_its_turn(storage: Storage) -> None:
    thread_id = await put_thread(storage)
    first = await put(storage, on_thread(thread_id))
    await claim(storage, "worker", first)
    second = await put(storage, on_thread(thread_id))
    assert (await storage.queue.end_overdue(-1.0, ANSWER, 10)).promoted == 1
    thread = await storage.threads.get(thread_id)
    assert thread is not None
    assert (thread.status, thread.error) == ("busy", orjson.loads(ANSWER)["__error__"])
    assert (await claim(storage, "worker", second)).lease.attempt == 1


async def test_a_temporary_thread_goes_with_its_run(storage: Storage) -> None:
    draft = await put(storage, stateless(temporary=True))
    await claim(storage, "worker", draft)
    assert len((await storage.queue.end_overdue(-1.0, ANSWER, 10)).ended) == 1
    assert await storage.threads.get(draft.thread_id) is None
    assert (await storage.runs.ended([draft.run_id]))[0].status == "timeout"


async def test_many_are_ended_in_portions(storage: Storage) -> None:
    for draft in [await put(storage, stateless()) for _ in range(3)]:
        await claim(storage, "worker", draft)
    assert [len((await storage.queue.end_overdue(-1.0, ANSWER, 2)).ended) for _ in range(3)] == [2, 1, 0]
