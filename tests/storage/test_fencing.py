"""A worker that has lost its lease changes nothing any more, whatever it tries."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from runyard.runtime.errors import LeaseLost
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, NewBlob, WriteRow
from runyard.runtime.storage.port.events import NewEvents
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.port.storage import Storage

from .builders import checkpoint_row, claim, failed_request, finish_request, insert, run_status, stateless, write_row

Lose = Callable[[Storage, NewRun, Lease], Awaitable[Any]]


async def to_the_queue(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    await storage.queue.release(lease)


async def to_itself(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    await storage.queue.release(lease)
    await claim(storage, lease.worker, new_run)


async def to_another(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    await storage.workers.reap(lease.worker, max_attempts=5)
    await claim(storage, "another", new_run)


async def to_the_end(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    await storage.queue.finish(finish_request(lease))


async def to_its_deletion(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    await storage.runs.delete(Scope.everything(), new_run.thread_id, new_run.run_id)


async def to_another_try(storage: Storage, new_run: NewRun, lease: Lease) -> None:
    await storage.queue.try_again(failed_request(lease), 0.0)


LOSSES: tuple[Lose, ...] = (to_the_queue, to_another_try, to_itself, to_another, to_the_end, to_its_deletion)


async def snapshot(storage: Storage, new_run: NewRun) -> tuple[Any, ...]:
    """All that can be seen of a run."""
    return (
        await storage.runs.get(Scope.everything(), new_run.thread_id, new_run.run_id),
        await storage.threads.get(Scope.everything(), new_run.thread_id),
        await storage.runs.ended(Scope.everything(), [new_run.run_id]),
        await storage.events.read(new_run.run_id, 0, size=1000),
        await storage.checkpoints.history(new_run.thread_id, None, before=None, limit=None),
        await storage.checkpoints.blobs(new_run.thread_id, "", {"log": "2"}),
        await storage.queue.depth(),
        await storage.deliveries.next_due() is None,
    )


async def finish(storage: Storage, lease: Lease) -> None:
    await storage.queue.finish(finish_request(lease, values=b'{"late":1}'))


async def interrupt(storage: Storage, lease: Lease) -> None:
    await storage.queue.finish(finish_request(lease, status="interrupted"))


async def try_again(storage: Storage, lease: Lease) -> None:
    await storage.queue.try_again(failed_request(lease), 0.0, [checkpoint_row(lease.thread_id, "2")])


async def release(storage: Storage, lease: Lease) -> None:
    await storage.queue.release(lease)


async def fail_attempt(storage: Storage, lease: Lease) -> None:
    await storage.workers.fail_attempt(lease, b'{"__error__":{"error":"E","message":"late"}}', max_attempts=1)


async def append_events(storage: Storage, lease: Lease) -> None:
    await storage.events.append(lease, [NewEvents(1, b"late")])


async def save(storage: Storage, lease: Lease) -> None:
    rows: list[CheckpointRow | WriteRow] = [
        checkpoint_row(lease.thread_id, "2", run_id=lease.run_id, blobs=[NewBlob("log", "2", "msgpack", b"late")]),
        write_row(lease.thread_id, "1", run_id=lease.run_id, idx=1),
    ]
    await storage.checkpoints.append(lease, rows)


async def save_blocking(storage: Storage, lease: Lease) -> None:
    storage.checkpoints.append(lease, [checkpoint_row(lease.thread_id, "2", run_id=lease.run_id)]).wait()


WRITES = (finish, interrupt, try_again, release, fail_attempt, append_events, save, save_blocking)


@pytest.mark.parametrize("act", WRITES, ids=lambda act: act.__name__)
@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
async def test_a_stale_lease_changes_nothing(
    storage: Storage, lose: Lose, act: Callable[[Storage, Lease], Awaitable[None]]
) -> None:
    new_run = await insert(storage, stateless(resumable=True))
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.checkpoints.append(lease, [checkpoint_row(new_run.thread_id, "1", run_id=new_run.run_id)])
    await storage.events.append(lease, [NewEvents(1, b"first")])
    assert await storage.queue.holds(lease)
    await lose(storage, new_run, lease)
    assert not await storage.queue.holds(lease)
    await assert_refused(storage, new_run, lease, act)


@pytest.mark.parametrize("act", WRITES, ids=lambda act: act.__name__)
async def test_the_same_attempt_of_the_same_worker_with_another_token_changes_nothing(
    storage: Storage, act: Callable[[Storage, Lease], Awaitable[None]]
) -> None:
    """As after a crash that took the claim with it: the worker's next claim counts the same attempt again."""
    new_run = await insert(storage, stateless(resumable=True))
    held = (await claim(storage, "worker", new_run)).lease
    lease = replace(held, token=held.token ^ 1)
    assert not await storage.queue.holds(lease)
    assert (await storage.workers.heartbeat("worker", [lease])).lost == [lease.seq]
    await assert_refused(storage, new_run, lease, act)
    assert await storage.queue.holds(held)


async def test_each_claim_has_a_token_of_its_own(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    first = (await claim(storage, "worker", new_run)).lease
    await storage.queue.release(first)
    assert (await claim(storage, "worker", new_run)).lease.token != first.token


async def assert_refused(
    storage: Storage, new_run: NewRun, lease: Lease, act: Callable[[Storage, Lease], Awaitable[None]]
) -> None:
    """The write is refused, and nothing changes."""
    before = await snapshot(storage, new_run)
    with pytest.raises(LeaseLost):
        await act(storage, lease)
    after = await snapshot(storage, new_run)
    depths = before[6], after[6]
    assert replace(depths[0], oldest=0.0) == replace(depths[1], oldest=0.0)
    assert before[:6] + before[7:] == after[:6] + after[7:]


async def test_a_refusal_spares_other_runs(storage: Storage) -> None:
    lost, held = await insert(storage, stateless()), await insert(storage, stateless())
    lost_lease = (await claim(storage, "worker", lost)).lease
    held_lease = (await claim(storage, "worker", held)).lease
    await storage.queue.release(lost_lease)
    refused, kept = (
        storage.checkpoints.append(lease, [checkpoint_row(lease.thread_id, "1")]) for lease in (lost_lease, held_lease)
    )
    with pytest.raises(LeaseLost):
        await refused
    await kept
    assert await storage.checkpoints.latest(lost.thread_id, "") is None
    assert await storage.checkpoints.latest(held.thread_id, "") is not None


async def test_what_the_saver_still_held_is_written_with_the_end(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    lease = (await claim(storage, "worker", new_run)).lease
    rows = [checkpoint_row(new_run.thread_id, "1"), checkpoint_row(new_run.thread_id, "2")]
    await storage.checkpoints.append(lease, rows[:1])
    await storage.queue.finish(finish_request(lease), rows)
    assert await run_status(storage, new_run) == "success"
    found = await storage.checkpoints.history(new_run.thread_id, "", before=None, limit=None)
    assert [item.checkpoint_id for item in found] == ["2", "1"]


async def test_what_the_saver_still_held_is_written_when_a_run_goes_back(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.queue.release(lease, [checkpoint_row(new_run.thread_id, "1")])
    assert await run_status(storage, new_run) == "pending"
    assert await storage.checkpoints.latest(new_run.thread_id, "") is not None


async def test_an_end_that_is_refused_writes_nothing_of_what_the_saver_held(storage: Storage) -> None:
    new_run = await insert(storage, stateless())
    lease = (await claim(storage, "worker", new_run)).lease
    await storage.queue.release(lease)
    with pytest.raises(LeaseLost):
        await storage.queue.finish(finish_request(lease), [checkpoint_row(new_run.thread_id, "1")])
    assert await storage.checkpoints.latest(new_run.thread_id, "") is None


async def test_an_append_is_taken_back_before_it_has_begun(storage: Storage) -> None:
    thread_id = str(uuid.uuid4())
    appends = [storage.checkpoints.append(None, [checkpoint_row(thread_id, str(number))]) for number in range(300)]
    taken = [number for number, append in enumerate(appends) if number and append.cancel()]
    await asyncio.wait_for(appends[0], 60)
    await storage.checkpoints.append(None, [checkpoint_row(thread_id, "last")])
    found = await storage.checkpoints.history(thread_id, "", before=None, limit=None)
    assert {item.checkpoint_id for item in found} == {"last", *map(str, range(300))} - {*map(str, taken)}
