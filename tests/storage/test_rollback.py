"""A run that is rolled back leaves its thread as it found it, however it was stopped."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from runyard.runtime.errors import LeaseLost
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, NewBlob, WriteRow
from runyard.runtime.storage.port.events import NewEvents
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.port.storage import Storage

from .builders import (
    ASSISTANT,
    checkpoint_row,
    claim,
    failed_request,
    finish_request,
    insert,
    on_thread,
    ref,
    stateless,
    write_row,
)

QUESTION = b"a question"
INTERRUPT, RESUME = -3, -4


async def asking_thread(storage: Storage) -> str:
    """A thread whose run has ended with a question."""
    metadata = {"graph_id": "chain", "assistant_id": ASSISTANT}
    new_run = await insert(storage, stateless(thread_metadata=metadata))
    lease = (await claim(storage, "maker", new_run)).lease
    rows: list[CheckpointRow | WriteRow] = [
        checkpoint_row(lease.thread_id, "1", run_id=lease.run_id),
        write_row(lease.thread_id, "1", run_id=lease.run_id, idx=INTERRUPT, channel="__interrupt__", data=QUESTION),
    ]
    await storage.checkpoints.append(lease, rows)
    await storage.queue.finish(finish_request(lease, interrupts=b'{"task":[{"id":"i","value":"?"}]}', paused=True))
    return new_run.thread_id


async def answer(storage: Storage, new_run: NewRun) -> Lease:
    """The run answers the question, asks again and takes a step."""
    lease = (await claim(storage, "worker", new_run)).lease
    thread_id, run_id = lease.thread_id, lease.run_id
    rows: list[CheckpointRow | WriteRow] = [
        write_row(thread_id, "1", run_id=run_id, idx=RESUME, channel="__resume__", data=b"an answer"),
        write_row(thread_id, "1", run_id=run_id, idx=INTERRUPT, channel="__interrupt__", data=b"another"),
        write_row(thread_id, "1", run_id=run_id, idx=INTERRUPT, channel="__interrupt__", data=b"and another"),
        checkpoint_row(thread_id, "2", run_id=run_id, blobs=[NewBlob("log", "2", "msgpack", b"new")]),
    ]
    await storage.checkpoints.append(lease, rows)
    await storage.events.append(lease, [NewEvents(1, b"said")])
    return lease


async def snapshot(storage: Storage, thread_id: str) -> tuple[Any, ...]:
    thread = await storage.threads.get(Scope.everything(), thread_id)
    assert thread is not None
    return (
        thread.status,
        thread.values,
        thread.interrupts,
        thread.metadata,
        await storage.threads.graph_ids(Scope.everything(), thread_id),
        await storage.checkpoints.history(thread_id, None, before=None, limit=None),
        await storage.checkpoints.blobs(thread_id, "", {"log": "2"}),
    )


async def while_it_runs(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], "rollback")
    await storage.queue.finish(finish_request(lease, status="interrupted"))


async def while_it_succeeds(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], "rollback")
    await storage.queue.finish(finish_request(lease, values=b'{"late":1}'))


async def while_it_fails(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], "rollback")
    await storage.queue.finish(failed_request(lease))


async def beside_an_interrupt(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    for action in ("interrupt", "rollback", "interrupt"):
        await storage.runs.cancel(Scope.everything(), [ref(new_run)], action)
    await storage.queue.finish(finish_request(lease, status="interrupted"))


async def given_back(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    await storage.queue.release(lease)
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], "rollback")


async def after_a_crash(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    await storage.workers.reap(lease.worker, max_attempts=3)
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], "rollback")


async def at_the_second_attempt(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    await storage.workers.reap(lease.worker, max_attempts=5)
    await while_it_runs(storage, new_run, await answer(storage, new_run))


async def not_stopped_in_time(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], "rollback")
    assert (await storage.workers.end_unstopped(0.0, 10, [new_run.run_id])).ended[0].run_id == new_run.run_id
    with pytest.raises(LeaseLost):
        await storage.checkpoints.append(lease, [checkpoint_row(new_run.thread_id, "3", run_id=new_run.run_id)])
    with pytest.raises(LeaseLost):
        await storage.queue.finish(finish_request(lease))


async def worker_died(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], "rollback")
    await storage.workers.reap(lease.worker, max_attempts=3)


async def for_another_run(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    await storage.workers.reap(lease.worker, max_attempts=3)
    other = await insert(storage, on_thread(new_run.thread_id, strategy="rollback"))
    await storage.runs.delete(Scope.everything(), other.thread_id, other.run_id)


WAYS = (
    while_it_runs,
    while_it_succeeds,
    while_it_fails,
    beside_an_interrupt,
    given_back,
    after_a_crash,
    at_the_second_attempt,
    not_stopped_in_time,
    worker_died,
)


@pytest.mark.parametrize("roll_back", [*WAYS, for_another_run], ids=lambda way: way.__name__)
async def test_a_rollback_brings_back_what_the_run_replaced(
    storage: Storage, roll_back: Callable[[Storage, NewRun, Lease], Awaitable[None]]
) -> None:
    thread_id = await asking_thread(storage)
    before = await snapshot(storage, thread_id)
    new_run = await insert(storage, on_thread(thread_id))
    lease = await answer(storage, new_run)
    await roll_back(storage, new_run, lease)
    assert await snapshot(storage, thread_id) == before
    assert await storage.runs.get(Scope.everything(), thread_id, new_run.run_id) is None
    assert await storage.events.read(new_run.run_id, 0, size=1) == []
    (write,) = before[5][0].writes
    assert write.data == QUESTION


async def test_what_an_ended_run_replaced_stays_replaced(storage: Storage) -> None:
    thread_id = await asking_thread(storage)
    first = await insert(storage, on_thread(thread_id))
    await storage.queue.finish(finish_request(await answer(storage, first)))
    second = await insert(storage, on_thread(thread_id))
    await while_it_runs(storage, second, (await claim(storage, "worker", second)).lease)
    stored = await storage.checkpoints.get(thread_id, "", "1")
    assert stored is not None
    assert [write.data for write in stored.writes] == [b"an answer", b"and another"]


async def test_a_rollback_gives_the_thread_its_graph_back(storage: Storage) -> None:
    thread_id = await asking_thread(storage)
    await insert(storage, on_thread(thread_id, graph_id="chain"))
    await storage.queue.finish(finish_request((await storage.queue.claim("w", limit=1, interactive=1))[0].lease))
    other = on_thread(thread_id, graph_id="other", assistant_id=str(uuid.uuid4()))
    await storage.runs.insert(Scope.everything(), [other])
    await storage.runs.cancel(Scope.everything(), [ref(other)], "rollback")
    assert await storage.threads.graph_ids(Scope.everything(), thread_id) == ["chain", "chain"]


@pytest.mark.parametrize("begun", [True, False])
async def test_an_interrupt_without_the_worker_leaves_the_thread_where_it_can_be_continued(
    storage: Storage, begun: bool
) -> None:
    thread_id = await asking_thread(storage)
    await storage.queue.finish(finish_request(await answer(storage, await insert(storage, on_thread(thread_id)))))
    new_run = await insert(storage, on_thread(thread_id))
    lease = (await claim(storage, "worker", new_run)).lease
    if begun:
        await storage.checkpoints.append(lease, [checkpoint_row(thread_id, "3", run_id=lease.run_id)])
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], "interrupt")
    assert (await storage.workers.end_unstopped(60.0, 10)).ended == []
    ended = await storage.workers.end_unstopped(0.0, 10, [new_run.run_id])
    assert [(run.run_id, run.status) for run in ended.ended] == [(new_run.run_id, "interrupted")]
    thread = await storage.threads.get(Scope.everything(), thread_id)
    assert thread is not None
    assert (thread.status, thread.values) == ("interrupted" if begun else "idle", {"n": 111})


async def test_a_stop_whose_state_cannot_be_read_keeps_values_and_interrupts(storage: Storage) -> None:
    thread_id = await asking_thread(storage)
    before = await storage.threads.get(Scope.everything(), thread_id)
    new_run = await insert(storage, on_thread(thread_id))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.runs.cancel(Scope.everything(), [ref(new_run)], "interrupt")
    await storage.queue.finish(finish_request(lease, status="interrupted", values=None, interrupts=None, paused=True))
    after = await storage.threads.get(Scope.everything(), thread_id)
    assert before is not None
    assert after is not None
    assert (after.status, after.values, after.interrupts) == ("interrupted", before.values, before.interrupts)
