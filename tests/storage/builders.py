"""What services and workers hand to storage, and the steps that most tests take: to insert a run, to claim it, to
look at it."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.checkpoint_rows import CheckpointRow, NewBlob, WriteRow
from runyard.runtime.storage.port.queue import FinishRequest, Lease, LeasedRun
from runyard.runtime.storage.port.runs import Lane, NewBatch, NewRun, RunRef
from runyard.runtime.storage.port.storage import Storage

ASSISTANT = "11111111-1111-4111-8111-111111111111"


def stateless(**changes: Any) -> NewRun:
    """A run with a thread of its own; `changes` are fields of it."""
    thread_id = changes.pop("thread_id", None) or str(uuid.uuid4())
    new_run = NewRun(
        run_id=str(uuid.uuid4()),
        thread_id=thread_id,
        assistant_id=ASSISTANT,
        graph_id="chain",
        lane=Lane.SINGLE,
        delay=0.0,
        strategy="enqueue",
        metadata={"assistant_id": ASSISTANT},
        kwargs={"input": {"n": 1}, "config": {"configurable": {"thread_id": thread_id}}, "webhook": None},
        thread_metadata={"graph_id": "chain"},
    )
    return replace(new_run, **changes)


def on_thread(thread_id: str, **changes: Any) -> NewRun:
    """A run on a thread that is there, or is made if `create_thread` says so."""
    return stateless(thread_id=thread_id, thread_metadata=None, **changes)


def ref(new_run: NewRun) -> RunRef:
    return RunRef(new_run.thread_id, new_run.run_id)


async def insert(storage: Storage, *new_runs: NewRun) -> NewRun:
    """Inserts runs in one transaction; returns the first."""
    await storage.runs.insert(Scope.everything(), new_runs)
    return new_runs[0]


async def insert_batch(storage: Storage, *new_runs: NewRun, **asked: Any) -> NewBatch:
    """Inserts runs as the items of a batch; `asked` are fields of it."""
    batch = NewBatch(batch_id=str(uuid.uuid4()), **asked)
    await storage.runs.insert(Scope.everything(), new_runs, batch)
    return batch


async def idle_thread(storage: Storage) -> str:
    """A thread that has been run on once, and is idle."""
    new_run = await insert(storage, stateless())
    await storage.queue.finish(finish_request((await claim(storage, "maker", new_run)).lease))
    return new_run.thread_id


async def claim(storage: Storage, worker: str, new_run: NewRun) -> LeasedRun:
    """Claims one run, which has to be the next of its lane."""
    (leased,) = await storage.queue.claim(worker, limit=1, interactive=1, solo=new_run.lane == Lane.SOLO)
    assert leased.lease.run_id == new_run.run_id
    return leased


async def claim_all(storage: Storage, worker: str = "worker") -> list[LeasedRun]:
    """Claims all that can be claimed, of all lanes but the solo one."""
    return await storage.queue.claim(worker, limit=10_000, interactive=10_000)


def finish_request(lease: Lease, **changes: Any) -> FinishRequest:
    """A success with some values, unless `changes` say otherwise."""
    finish = FinishRequest(
        lease=lease,
        status="success",
        answer=b'{"n":111}',
        values=b'{"n":111}',
        interrupts=b"{}",
        error=None,
        paused=False,
        temporary=False,
        spilled=False,
    )
    return replace(finish, **changes)


def failed_request(lease: Lease, **changes: Any) -> FinishRequest:
    """The end of a run whose graph raised."""
    error = {"error": "ValueError", "message": "boom"}
    return finish_request(
        lease,
        **{
            "status": "error",
            "answer": json.dumps({"__error__": error}).encode(),
            "error": json.dumps(error).encode(),
            **changes,
        },
    )


def checkpoint_row(thread_id: str, checkpoint_id: str, **changes: Any) -> CheckpointRow:
    """A checkpoint with one channel value, `log` of version 1."""
    row = CheckpointRow(
        thread_id=thread_id,
        ns="",
        checkpoint_id=checkpoint_id,
        parent_id=None,
        run_id=None,
        type="msgpack",
        data=b"data of " + checkpoint_id.encode(),
        metadata=b"{}",
        blobs=[NewBlob("log", "1", "msgpack", b"blob")],
    )
    return replace(row, **changes)


def write_row(thread_id: str, checkpoint_id: str, **changes: Any) -> WriteRow:
    """A pending write of one task."""
    row = WriteRow(
        thread_id=thread_id,
        ns="",
        checkpoint_id=checkpoint_id,
        run_id=None,
        task_id="task",
        idx=0,
        channel="log",
        type="msgpack",
        data=b"written",
        task_path="",
    )
    return replace(row, **changes)


async def run_status(storage: Storage, new_run: NewRun) -> str | None:
    """The run's status; None when it was removed."""
    run = await storage.runs.get(Scope.everything(), new_run.thread_id, new_run.run_id)
    return None if run is None else run.status


async def thread_status(storage: Storage, thread_id: str) -> str | None:
    """The thread's status; None when it was removed."""
    thread = await storage.threads.get(Scope.everything(), thread_id)
    return None if thread is None else thread.status
