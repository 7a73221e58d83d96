"""Rows of the LangGraph saver, and the saver on them."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate

from runyard.runtime.checkpoints.saver import RunSaver
from runyard.runtime.storage.port.checkpoint_rows import NewBlob
from runyard.runtime.storage.port.checkpoints import KeptCheckpoint, StoredBlob
from runyard.runtime.storage.port.storage import Storage

from .builders import checkpoint_row, claim, insert, stateless, write_row
from .conftest import Open


def thread() -> str:
    return str(uuid.uuid4())


async def test_a_checkpoint_comes_back_as_it_was_written(storage: Storage) -> None:
    thread_id = thread()
    row = checkpoint_row(thread_id, "2", parent_id="1", run_id="r", data=b"\x00\xffdata", metadata=b"\x01")
    await storage.checkpoints.append(None, [row])
    found = await storage.checkpoints.get(thread_id, "", "2")
    assert found is not None
    assert found == await storage.checkpoints.latest(thread_id, "")
    assert (found.thread_id, found.ns, found.checkpoint_id, found.parent_id) == (thread_id, "", "2", "1")
    assert (found.type, found.data, found.metadata, found.writes) == (row.type, row.data, row.metadata, [])
    assert await storage.checkpoints.blobs(thread_id, "", {"log": "1"}) == {"log": StoredBlob("msgpack", b"blob")}


async def test_what_is_not_there_is_not_found(storage: Storage) -> None:
    thread_id = thread()
    await storage.checkpoints.append(None, [checkpoint_row(thread_id, "1")])
    assert await storage.checkpoints.get(thread_id, "", "2") is None
    assert await storage.checkpoints.get(thread_id, "child", "1") is None
    assert await storage.checkpoints.latest(thread(), "") is None
    assert await storage.checkpoints.history(thread(), None, before=None, limit=None) == []
    assert await storage.checkpoints.blobs(thread_id, "", {"log": "2", "other": "1"}) == {}


async def test_writes_come_in_the_order_in_which_langgraph_applies_them(storage: Storage) -> None:
    thread_id = thread()
    places = [("b", "1", 0), ("a", "3", 1), ("a", "3", 0), ("a", "2", 0), ("a", "2", -1)]
    await storage.checkpoints.append(
        None,
        [
            checkpoint_row(thread_id, "1"),
            *(
                write_row(thread_id, "1", task_path=path, task_id=task, idx=idx, data=repr((path, task, idx)).encode())
                for path, task, idx in places
            ),
        ],
    )
    found = await storage.checkpoints.latest(thread_id, "")
    assert found is not None
    assert [data for *_, data in found.writes] == [repr(place).encode() for place in sorted(places)]


async def test_a_write_is_kept_and_a_special_one_replaced(storage: Storage) -> None:
    thread_id = thread()
    for data in (b"first", b"second"):
        await storage.checkpoints.append(
            None,
            [write_row(thread_id, "1", idx=0, data=data), write_row(thread_id, "1", idx=-3, channel="e", data=data)],
        )
    await storage.checkpoints.append(None, [checkpoint_row(thread_id, "1")])
    found = await storage.checkpoints.get(thread_id, "", "1")
    assert found is not None
    assert {channel: data for _, channel, _, data in found.writes} == {"log": b"first", "e": b"second"}


async def test_history_goes_back_in_time_by_namespace(storage: Storage) -> None:
    thread_id, other = thread(), thread()
    rows = [checkpoint_row(thread_id, str(number), ns=ns) for number in range(1, 5) for ns in ("", "child")]
    await storage.checkpoints.append(None, [*rows, checkpoint_row(other, "9")])

    async def found(thread_id: str | None, ns: str | None, **limits: Any) -> list[str]:
        limits = {"before": None, "limit": None, **limits}
        return [row.checkpoint_id for row in await storage.checkpoints.history(thread_id, ns, **limits)]

    assert await found(thread_id, "") == await found(thread_id, "child") == ["4", "3", "2", "1"]
    assert await found(thread_id, "", limit=2) == ["4", "3"]
    assert await found(thread_id, "", before="3") == ["2", "1"]
    assert await found(thread_id, "", before="3", limit=1) == ["2"]
    assert sorted(await found(thread_id, None)) == sorted("12341234")
    assert sorted(await found(None, "")) == sorted("12349")


async def test_writing_a_checkpoint_again_replaces_it(storage: Storage) -> None:
    thread_id = thread()
    await storage.checkpoints.append(
        None, [checkpoint_row(thread_id, "1"), checkpoint_row(thread_id, "1", data=b"newer")]
    )
    found = await storage.checkpoints.latest(thread_id, "")
    assert found is not None
    assert found.data == b"newer"


async def test_what_was_written_is_there_for_other_processes(storage: Storage, another: Open) -> None:
    thread_id = thread()
    await storage.checkpoints.append(None, [checkpoint_row(thread_id, "1")])
    assert await another().checkpoints.latest(thread_id, "") is not None


async def test_a_checkpoint_that_is_deleted_while_it_is_read_is_not_seen_without_its_values(
    storage: Storage, another: Open
) -> None:
    thread_id, other = thread(), another()
    await storage.checkpoints.append(None, [checkpoint_row(thread_id, "1")])

    def delete(kind: str, data: bytes) -> dict[str, str]:
        """Is called when the checkpoint was found."""
        deleting = threading.Thread(target=asyncio.run, args=(other.checkpoints.delete_thread(thread_id),))
        deleting.start()
        deleting.join()
        return {"log": "1"}

    found = await storage.checkpoints.latest(thread_id, "", delete)
    assert found is None or found.blobs == {"log": StoredBlob("msgpack", b"blob")}
    assert await storage.checkpoints.latest(thread_id, "") is None


def test_a_pool_thread_may_write_and_read(storage: Storage) -> None:
    thread_id = thread()
    found = []

    def save() -> None:
        storage.checkpoints.append(None, [checkpoint_row(thread_id, "1")]).wait()
        found.append(storage.checkpoints.wait_for(storage.checkpoints.latest(thread_id, "")))

    saver = threading.Thread(target=save)
    saver.start()
    saver.join(10)
    assert found[0] is not None


async def test_deleting_copying_and_pruning(storage: Storage) -> None:
    source, target, other = thread(), thread(), thread()
    blobs = {number: [NewBlob("log", str(number), "msgpack", f"blob {number}".encode())] for number in (1, 2)}
    await storage.checkpoints.append(
        None,
        [checkpoint_row(source, str(number), run_id=f"run {number}", blobs=blobs[number]) for number in (1, 2)]
        + [write_row(source, str(number), run_id=f"run {number}") for number in (1, 2)]
        + [checkpoint_row(other, "1", run_id="other")],
    )
    await storage.checkpoints.copy_thread(source, target)

    async def found(thread_id: str) -> list[tuple[str, int]]:
        rows = await storage.checkpoints.history(thread_id, "", before=None, limit=None)
        return [(row.checkpoint_id, len(row.writes)) for row in rows]

    versions = {"log": "1"}
    assert await found(source) == await found(target) == [("2", 1), ("1", 1)]
    (copied, blobs_of_source) = [await storage.checkpoints.blobs(item, "", versions) for item in (target, source)]
    assert copied == blobs_of_source != {}

    await storage.checkpoints.prune(source, [KeptCheckpoint("", "2", {"log": "2"})])
    assert await found(source) == [("2", 1)]
    assert await storage.checkpoints.blobs(source, "", {"log": "1"}) == {}
    assert await storage.checkpoints.blobs(source, "", {"log": "2"}) == {"log": StoredBlob("msgpack", b"blob 2")}
    assert await found(target) == [("2", 1), ("1", 1)]

    await storage.checkpoints.delete_runs(["run 1"])
    assert await found(target) == [("2", 1)]
    assert await storage.checkpoints.blobs(target, "", versions) == {}

    await storage.checkpoints.delete_thread(target)
    assert await found(target) == []
    assert await found(source) == [("2", 1)]
    assert await found(other) == [("1", 0)]


async def test_appends_of_many_runs_at_once_are_all_kept(storage: Storage) -> None:
    new_runs = [await insert(storage, stateless()) for _ in range(20)]
    leases = [leased.lease for leased in await storage.queue.claim("worker", limit=20, interactive=20)]

    async def work(number: int) -> None:
        appends = []
        for step in range(10):
            row = checkpoint_row(leases[number].thread_id, f"{step:02}")
            appends.append(storage.checkpoints.append(leases[number], [row]))
            if step % 3 == 0:
                await appends[-1]
        for append in appends:
            await append

    await asyncio.gather(*(work(number) for number in range(20)))
    for new_run in new_runs:
        assert len(await storage.checkpoints.history(new_run.thread_id, "", before=None, limit=None)) == 10


@pytest.mark.parametrize("kind", ["of a service", "of a run", "that waits for the disk"])
async def test_the_saver_conforms_to_langgraph(storage: Storage, kind: str) -> None:
    lease = (
        None if kind == "of a service" else (await claim(storage, "worker", await insert(storage, stateless()))).lease
    )

    @checkpointer_test(name=f"RunSaver {kind}")
    async def saver() -> AsyncGenerator[BaseCheckpointSaver[Any], None]:
        yield RunSaver(storage.checkpoints, admin=storage.checkpoints, lease=lease, sync=kind.endswith("disk"))

    report = await validate(saver)
    results = {name: result.passed for name, result in report.results.items()}
    failures = {name: result.failures for name, result in report.results.items() if result.failures}
    assert len(results) == 8
    assert all(results.values()), failures
    assert report.conformance_level() == "FULL"
