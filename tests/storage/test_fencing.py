"""A worker that has lost its lease changes nothing any more, whatever it tries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from runyard.runtime.errors import LeaseLost
from runyard.runtime.storage.port.events import EventChunk
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.runs import NewRun
from runyard.runtime.storage.port.storage import Storage

from .making import checkpoint, claim, ending, put, stateless, status, write

Lose = Callable[[Storage, NewRun, Lease], Awaitable[Any]]


async def to_the_queue(storage: Storage, draft: NewRun, lease: Lease) -> None:
    await storage.queue.release(lease)


async def to_itself(storage: Storage, draft: NewRun, lease: Lease) -> None:
    await storage.queue.release(lease)
    await claim(storage, lease.worker, draft)


async def to_another(storage: Storage, draft: NewRun, lease: Lease) -> None:
    await storage.workers.reap(lease.worker, max_attempts=5)
    await claim(storage, "another", draft)


async def to_the_end(storage: Storage, draft: NewRun, lease: Lease) -> None:
    await storage.queue.finish(ending(lease))


async def to_its_deletion(storage: Storage, draft: NewRun, lease: Lease) -> None:
    await storage.runs.delete(draft.thread_id, draft.run_id)


LOSSES: tuple[Lose, ...] = (to_the_queue, to_itself, to_another, to_the_end, to_its_deletion)


async def snapshot(storage: Storage, draft: NewRun) -> tuple[Any, ...]:
    """All that can be seen of a run."""
    return (
        await storage.runs.get(draft.thread_id, draft.run_id),
        await storage.threads.get(draft.thread_id),
        await storage.runs.ended([draft.run_id]),
        await storage.events.read(draft.run_id, 0),
        storage.checkpoints.history(draft.thread_id, None, before=None, limit=None),
        storage.checkpoints.blobs(draft.thread_id, "", {"log": "2"}),
        await storage.queue.depth(),
        await storage.deliveries.next_due() is None,
    )


async def finish(storage: Storage, lease: Lease) -> None:
    await storage.queue.finish(ending(lease, values=b'{"late":1}'))


async def interrupt(storage: Storage, lease: Lease) -> None:
    await storage.queue.finish_cancelled(ending(lease, status="interrupted"), "interrupt")


async def roll_back(storage: Storage, lease: Lease) -> None:
    await storage.queue.finish_cancelled(ending(lease, status="interrupted"), "rollback")


async def release(storage: Storage, lease: Lease) -> None:
    await storage.queue.release(lease)


async def append_events(storage: Storage, lease: Lease) -> None:
    await storage.events.append(lease, EventChunk(2, 2, b"late"))


async def save(storage: Storage, lease: Lease) -> None:
    rows = [
        checkpoint(lease.thread_id, "2", run_id=lease.run_id, blobs=[("log", "2", "msgpack", b"late")]),
        write(lease.thread_id, "1", run_id=lease.run_id, idx=1),
    ]
    storage.checkpoints.post(lease, rows)
    await storage.checkpoints.flush(lease)


async def save_blocking(storage: Storage, lease: Lease) -> None:
    storage.checkpoints.post(lease, [checkpoint(lease.thread_id, "2", run_id=lease.run_id)])
    storage.checkpoints.flush_blocking(lease)


WRITES = (finish, interrupt, roll_back, release, append_events, save, save_blocking)


@pytest.mark.parametrize("act", WRITES, ids=lambda act: act.__name__)
@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
async def test_a_stale_lease_changes_nothing(
    storage: Storage, lose: Lose, act: Callable[[Storage, Lease], Awaitable[None]]
) -> None:
    draft = await put(storage, stateless(resumable=True))
    lease = (await claim(storage, "worker", draft)).lease
    storage.checkpoints.post(lease, [checkpoint(draft.thread_id, "1", run_id=draft.run_id)])
    await storage.checkpoints.flush(lease)
    await storage.events.append(lease, EventChunk(1, 1, b"first"))
    await lose(storage, draft, lease)
    before = await snapshot(storage, draft)
    with pytest.raises(LeaseLost):
        await act(storage, lease)
    after = await snapshot(storage, draft)
    depths = before[6], after[6]
    assert replace(depths[0], oldest=0.0) == replace(depths[1], oldest=0.0)
    assert before[:6] + before[7:] == after[:6] + after[7:]


async def test_a_refusal_is_told_at_the_next_flush_and_spares_other_runs(storage: Storage) -> None:
    lost, held = await put(storage, stateless()), await put(storage, stateless())
    lost_lease = (await claim(storage, "worker", lost)).lease
    held_lease = (await claim(storage, "worker", held)).lease
    await storage.queue.release(lost_lease)
    for lease in (lost_lease, held_lease):
        storage.checkpoints.post(lease, [checkpoint(lease.thread_id, "1")])
    await storage.checkpoints.flush(held_lease)
    await storage.checkpoints.flush(None)
    with pytest.raises(LeaseLost):
        await storage.checkpoints.flush(lost_lease)
    assert storage.checkpoints.latest(lost.thread_id, "") is None
    assert storage.checkpoints.latest(held.thread_id, "") is not None


async def test_what_was_posted_before_the_end_is_there_after_it(storage: Storage) -> None:
    draft = await put(storage, stateless())
    lease = (await claim(storage, "worker", draft)).lease
    storage.checkpoints.post(lease, [checkpoint(draft.thread_id, "1")])
    await storage.queue.finish(ending(lease))
    assert await status(storage, draft) == "success"
    assert storage.checkpoints.latest(draft.thread_id, "") is not None
