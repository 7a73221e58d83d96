"""Runs are found and changed in the scope of their threads only."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from runyard.runtime.errors import Forbidden, NotFound
from runyard.runtime.lifecycle import UNKNOWN
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import RunRef
from runyard.runtime.storage.port.storage import Storage

from .builders import claim, finish_request, on_thread, ref, stateless
from .owned import ANN, BOB, EVERYTHING, make_run, make_thread


async def test_a_run_is_found_in_the_scope_of_its_thread_only(storage: Storage) -> None:
    thread_id = await make_thread(storage)
    run = await make_run(storage, thread_id, metadata={"owner": "bob"})
    await storage.queue.finish(finish_request((await claim(storage, "worker", run)).lease))
    for scope, there in ((ANN, True), (EVERYTHING, True), (BOB, False)):
        assert (await storage.runs.get(scope, thread_id, run.run_id) is not None) == there
        assert (await storage.runs.find(scope, run.run_id) is not None) == there
        assert (await storage.runs.locate(scope, run.run_id) is not None) == there
        assert len(await storage.runs.of_thread(scope, thread_id, limit=9, offset=0, status=None)) == there
        (result,) = await storage.runs.ended(scope, [run.run_id])
        assert (result.answer != UNKNOWN) == there


async def test_a_run_that_has_outlived_its_thread_keeps_its_scope(storage: Storage) -> None:
    metadata = {"owner": "ann"}
    run = stateless(temporary=True, thread_metadata=metadata, metadata=metadata)
    await storage.runs.insert(ANN, [run])
    lease = (await claim(storage, "worker", run)).lease
    await storage.queue.finish(finish_request(lease, temporary=True))
    assert await storage.threads.get(EVERYTHING, run.thread_id) is None
    for scope, there in ((ANN, True), (BOB, False)):
        assert (await storage.runs.locate(scope, run.run_id) is not None) == there
        (result,) = await storage.runs.ended(scope, [run.run_id])
        assert (result.answer != UNKNOWN) == there


@pytest.mark.parametrize("create", [False, True])
async def test_no_run_is_put_on_a_thread_outside_the_scope(storage: Storage, create: bool) -> None:
    thread_id = await make_thread(storage)
    own = stateless(thread_metadata={"owner": "bob"})
    with pytest.raises(NotFound):
        await storage.runs.insert(BOB, [own, on_thread(thread_id, create_thread=create)])
    assert await storage.runs.of_thread(ANN, thread_id, limit=9, offset=0, status=None) == []
    assert await storage.runs.find(EVERYTHING, own.run_id) is None, "a batch is refused whole"
    await storage.runs.insert(ANN, [on_thread(thread_id, create_thread=create)])


async def test_a_thread_that_is_made_for_a_run_has_its_metadata(storage: Storage) -> None:
    run = on_thread(str(uuid.uuid4()), create_thread=True, metadata={"owner": "ann", "created_by": "system"})
    await storage.runs.insert(ANN, [run])
    thread = await storage.threads.get(ANN, run.thread_id)
    assert thread is not None
    assert thread.metadata == {"owner": "ann", "graph_id": run.graph_id, "assistant_id": run.assistant_id}


async def test_a_run_cannot_move_a_thread_out_of_its_scope(storage: Storage) -> None:
    thread_id = await make_thread(storage)
    scope = Scope(identity="ann", filter={"owner": "ann", "graph_id": "chain"})
    with pytest.raises(Forbidden):
        await storage.runs.insert(scope, [on_thread(thread_id, graph_id="other")])
    assert await storage.threads.get(scope, thread_id) is not None
    await storage.runs.insert(scope, [on_thread(thread_id, graph_id="chain")])


async def test_a_strategy_cancels_nothing_outside_the_scope(storage: Storage) -> None:
    thread_id = await make_thread(storage)
    runs = [await make_run(storage, thread_id) for _ in range(60)]
    with pytest.raises(NotFound):
        await storage.runs.insert(BOB, [on_thread(thread_id, strategy="rollback")])
    left = await storage.runs.of_thread(ANN, thread_id, limit=99, offset=0, status="pending")
    assert {run.run_id for run in left} == {run.run_id for run in runs}


async def test_only_runs_of_the_scope_are_cancelled_or_deleted(storage: Storage) -> None:
    mine, foreign = [await make_run(storage, await make_thread(storage, owner)) for owner in ("ann", "bob")]

    async def cancellable(**asked: Any) -> list[RunRef]:
        found: dict[str, Any] = {"thread_id": None, "run_ids": None, "status": "all", "limit": 9, **asked}
        return (await storage.runs.cancellable(ANN, **found)).runs

    assert await cancellable() == [ref(mine)]
    assert await cancellable(run_ids=[foreign.run_id]) == []
    assert await cancellable(thread_id=foreign.thread_id) == []
    assert await storage.runs.delete(ANN, foreign.thread_id, foreign.run_id) is None
    assert (await storage.runs.cancel(ANN, [ref(foreign), ref(mine)], "interrupt")).ended == [mine.run_id]
    assert await storage.runs.delete(ANN, mine.thread_id, mine.run_id) is not None
    assert await storage.runs.find(BOB, foreign.run_id) is not None
