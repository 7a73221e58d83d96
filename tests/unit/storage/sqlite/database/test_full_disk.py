"""SQLite on a disk that is full: nothing is believed to be written that is not."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.checkpoints.unwritten import UnwrittenRows
from runyard.runtime.errors import Unavailable
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow
from runyard.runtime.storage.port.queue import FinishRequest, Lease
from runyard.runtime.storage.port.runs import Lane, NewRun
from runyard.runtime.storage.sqlite.storage import SqliteStorage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqliteStorage]:
    storage = SqliteStorage(tmp_path / "runyard.db")
    storage.open(maintain=False)
    yield storage
    storage.close()


@asynccontextmanager
async def full_disk(storage: SqliteStorage) -> AsyncIterator[None]:
    """The file may not grow by a single page."""

    def limit(pages: str) -> Any:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(f"pragma max_page_count = {pages}").fetchone()

        return storage._database.write(work)

    await limit("1")  # less than there is: what there is
    yield
    await limit("1073741823")


async def claimed_run(storage: SqliteStorage) -> Lease:
    thread_id = str(uuid.uuid4())
    new_run = NewRun(
        run_id=str(uuid.uuid4()),
        thread_id=thread_id,
        assistant_id="a",
        graph_id="g",
        lane=Lane.SINGLE,
        delay=0.0,
        strategy="enqueue",
        metadata={},
        kwargs={"config": {}},
        thread_metadata={},
    )
    await storage.runs.insert(Scope.everything(), [new_run])
    (leased,) = await storage.queue.claim("worker", limit=1, interactive=1)
    return leased.lease


def checkpoint(lease: Lease, size: int) -> CheckpointRow:
    return CheckpointRow(lease.thread_id, "", "1", None, lease.run_id, "msgpack", bytes(size), b"{}", [])


def finish_request(lease: Lease) -> FinishRequest:
    return FinishRequest(
        lease=lease,
        status="success",
        answer=b"1",
        values=b"1",
        interrupts=b"{}",
        error=None,
        paused=False,
        temporary=False,
        spilled=False,
    )


async def status(storage: SqliteStorage, lease: Lease) -> str:
    found = await storage.runs.get(Scope.everything(), lease.thread_id, lease.run_id)
    assert found is not None
    return found.status


async def test_a_run_whose_checkpoint_was_not_written_does_not_succeed(storage: SqliteStorage) -> None:
    lease, other = await claimed_run(storage), await claimed_run(storage)
    async with full_disk(storage):
        rows = UnwrittenRows(storage.checkpoints, lease)
        rows.add([checkpoint(lease, 1_000_000)])
        with pytest.raises(Unavailable, match="full"):
            await rows.settle()
        with pytest.raises(Unavailable, match="full"):
            await storage.queue.finish(finish_request(lease), [checkpoint(lease, 1_000_000)])
    with pytest.raises(Unavailable, match="full"):
        rows.take()
    await storage.queue.finish(finish_request(other))
    assert await status(storage, lease) == "running"
    assert await status(storage, other) == "success"

    await storage.queue.release(lease)
    (again,) = await storage.queue.claim("worker", limit=1, interactive=1)
    await storage.checkpoints.append(again.lease, [checkpoint(lease, 1_000_000)])
    await storage.queue.finish(finish_request(again.lease))
    assert await status(storage, lease) == "success"
    assert await storage.checkpoints.latest(lease.thread_id, "") is not None


async def test_what_the_disk_does_not_take_is_refused_as_a_whole(storage: SqliteStorage) -> None:
    lease = await claimed_run(storage)
    async with full_disk(storage):
        # All of them have to be over before the disk has room again: what is under way fails together.
        results = await asyncio.gather(*(claimed_run(storage) for _ in range(200)), return_exceptions=True)
    refusals = [result for result in results if not isinstance(result, Lease)]
    assert refusals
    assert all(isinstance(refusal, Unavailable) and "full" in refusal.detail for refusal in refusals)
    await storage.queue.finish(finish_request(lease))
    assert await status(storage, lease) == "success"
    await claimed_run(storage)


async def test_a_wrong_statement_is_not_called_a_broken_disk(storage: SqliteStorage) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await storage._database.write(lambda connection: connection.execute("select 1 from nowhere"))
