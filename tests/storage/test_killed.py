"""`kill -9` in the middle of transactions: each is there as a whole or not at all, and nobody else is held up."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.kept_answers import unpack_runs
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.runs import Lane, NewBatch, NewRun
from runyard.runtime.storage.port.storage import Storage

from .backends import BACKENDS, PLAIN
from .builders import checkpoint_row, claim_all, finish_request, run_status, stateless, thread_status
from .calls import Call, call
from .races import Racer

SIZE = 400
"""Runs of a batch: writing them takes some milliseconds, in which the kills fall."""
MORE = 2
"""Rounds that follow where the machine was so busy that all was written before the kills."""


async def a_moment_of_writing(rng: random.Random, round_: int, begun: Callable[[], Awaitable[bool]]) -> None:
    """Returns at random: in every other round once something is there, in the others perhaps before anything is.

    So something is always written before a kill, and hardly ever all, however busy the machine.
    """
    while round_ % 2 == 0 and not await begun():
        pass
    time.sleep(rng.uniform(0.0, 0.06))  # noqa: ASYNC251 - the kill is to fall at random


async def pending(storage: Storage, new_runs: Sequence[NewRun]) -> int:
    """How many of the runs are there, and pending."""
    run_ids = [new_run.run_id for new_run in new_runs]
    found = await storage.runs.cancellable(
        Scope.everything(), thread_id=None, run_ids=run_ids, status="pending", limit=SIZE
    )
    return len(found.runs)


@pytest.mark.parametrize("backend", PLAIN)
async def test_batches_of_killed_processes_are_whole_or_absent(backend: str, tmp_path: Path) -> None:
    rng = random.Random(7)
    storage = BACKENDS[backend].make(tmp_path)
    storage.open(maintain=False)
    whole = absent = 0
    for round_ in range(3 + MORE):
        if round_ >= 3 and absent:
            break
        writers = [Racer(backend, tmp_path) for _ in range(3)]
        for writer in writers:
            writer.await_ready()
        batches = [[[stateless() for _ in range(SIZE)] for _ in range(4)] for _ in writers]
        moment = time.monotonic() + 0.02
        for writer, theirs in zip(writers, batches, strict=True):
            writer.send(
                moment, *(call(lambda storage: storage.runs.insert, Scope.everything(), batch) for batch in theirs)
            )

        async def begun(firsts: Sequence[NewRun] = [theirs[0][0] for theirs in batches]) -> bool:
            return any([await run_status(storage, first) for first in firsts])

        await a_moment_of_writing(rng, round_, begun)
        for writer in writers:
            writer.kill()
        for batch in (batch for theirs in batches for batch in theirs):
            found = await pending(storage, batch)
            assert found in (0, SIZE)
            assert await run_status(storage, batch[0]) == ("pending" if found else None)
            assert (await thread_status(storage, batch[0].thread_id) == "busy") == bool(found)
            whole += found == SIZE
            absent += found == 0
    assert (await storage.queue.depth()).ready == whole * SIZE
    assert whole, "the kills were too early to show anything"
    assert absent, "the kills were too late to show anything"
    storage.close()


@pytest.mark.parametrize("backend", PLAIN)
async def test_a_success_of_a_killed_worker_has_its_checkpoints(backend: str, tmp_path: Path) -> None:
    rng = random.Random(8)
    storage = BACKENDS[backend].make(tmp_path)
    storage.open(maintain=False)
    for _ in range(1 + MORE):
        worker = Racer(backend, tmp_path)
        worker.await_ready()
        if (successes := await successes_before_a_kill(storage, worker, rng)) < SIZE:
            break
    assert 0 < successes < SIZE
    storage.close()


async def successes_before_a_kill(storage: Storage, worker: Racer, rng: random.Random) -> int:
    """Of so many runs that the worker ends; each success has its checkpoints."""
    await storage.runs.insert(Scope.everything(), [stateless() for _ in range(SIZE)])
    leases = [leased.lease for leased in await claim_all(storage)]
    calls: list[Call[Any]] = []
    for lease in leases:
        rows = [checkpoint_row(lease.thread_id, str(step)) for step in range(5)]
        calls.append(call(lambda storage: storage.queue.finish, finish_request(lease), rows))
    worker.send(time.monotonic(), *calls)
    await until_ended(storage, SIZE)
    time.sleep(rng.uniform(0.0, 0.02))  # noqa: ASYNC251 - the kill is to fall at random
    worker.kill()
    successes = 0
    for lease in leases:
        run = await storage.runs.get(Scope.everything(), lease.thread_id, lease.run_id)
        assert run is not None
        if run.status == "success":
            successes += 1
            assert len(await storage.checkpoints.history(lease.thread_id, "", before=None, limit=None)) == 5
    return successes


@pytest.mark.parametrize("rounds", [2, pytest.param(15, marks=[pytest.mark.full, pytest.mark.timeout(400)])])
@pytest.mark.parametrize("backend", PLAIN)
async def test_a_key_of_a_killed_process_is_there_with_its_batch_or_not_at_all(
    backend: str, rounds: int, tmp_path: Path
) -> None:
    rng = random.Random(9)
    storage = BACKENDS[backend].make(tmp_path)
    storage.open(maintain=False)
    kept = absent = 0
    for round_ in range(rounds + MORE):
        if round_ >= rounds and absent:
            break
        writers = [Racer(backend, tmp_path) for _ in range(3)]
        for writer in writers:
            writer.await_ready()
        batches = {
            f"{round_} {number} {batch}": [stateless() for _ in range(SIZE)]
            for number in range(len(writers))
            for batch in range(4)
        }
        moment = time.monotonic() + 0.02
        for number, writer in enumerate(writers):
            writer.send(
                moment,
                *(
                    call(lambda storage: storage.runs.insert, Scope.everything(), batch, key=IdempotencyKey(key, b""))
                    for key, batch in batches.items()
                    if key.startswith(f"{round_} {number} ")
                ),
            )

        async def begun(keys: Sequence[str] = [*batches]) -> bool:
            return any([await storage.idempotency.find(Scope.everything(), key) for key in keys])

        await a_moment_of_writing(rng, round_, begun)
        for writer in writers:
            writer.kill()
        for key, batch in batches.items():
            found = await storage.idempotency.find(Scope.everything(), key)
            assert await pending(storage, batch) == (0 if found is None else SIZE)
            if found is not None:
                assert [run.run_id for run in unpack_runs(found.packed)] == [new_run.run_id for new_run in batch]
            kept += found is not None
            absent += found is None
    assert kept, "the kills were too early to show anything"
    assert absent, "the kills were too late to show anything"
    storage.close()


@pytest.mark.full
@pytest.mark.timeout(500)
@pytest.mark.parametrize("backend", PLAIN)
async def test_the_counts_of_batches_are_what_a_scan_finds_after_each_kill(backend: str, tmp_path: Path) -> None:
    rng = random.Random(9)
    storage = BACKENDS[backend].make(tmp_path)
    storage.open(maintain=False)
    hits = 0
    for number in range(40):
        cap = 50 if number % 2 else None
        batch_id = str(uuid.uuid4())
        runs = [stateless(lane=Lane.BATCH, temporary=bool(n % 2)) for n in range(200)]
        await storage.runs.insert(Scope.everything(), runs, NewBatch(batch_id=batch_id, max_concurrency=cap))
        leased = await claim_all(storage, "killed")
        worker = Racer(backend, tmp_path)
        worker.await_ready()
        temporary = {run.lease.run_id: run.temporary for run in leased}
        calls: list[Call[Any]] = [
            call(lambda storage: storage.queue.finish, finish_request(run.lease, temporary=temporary[run.lease.run_id]))
            for run in leased[:-5]
        ]
        calls.append(call(lambda storage: storage.batches.request_cancel, Scope.everything(), batch_id))
        calls += [call(lambda storage: storage.batches.stop_some, batch_id, -1, 20) for _ in range(10)]
        worker.send(time.monotonic(), *calls)
        if number % 4:  # by and by also while nothing has ended yet
            await until_ended(storage, len(leased))
        time.sleep(rng.uniform(0.0, 0.15))  # noqa: ASYNC251 - the kill is to fall at random
        worker.kill()
        counts = await counts_and_scan(storage, batch_id)
        hits += 0 < counts["pending"] + counts["running"] < len(runs)
        await storage.workers.reap("killed", max_attempts=100)
        await counts_and_scan(storage, batch_id)
        while left := await claim_all(storage):
            assert cap is None or len(left) <= cap
            finishes = (finish_request(run.lease, temporary=run.temporary) for run in left)
            await asyncio.gather(*map(storage.queue.finish, finishes))
        counts = await counts_and_scan(storage, batch_id)
        assert counts["pending"] + counts["running"] == 0
        batch = await storage.batches.get(Scope.everything(), batch_id)
        assert batch is not None
        assert batch.status in ("completed", "cancelled")
    assert hits > 13, "the kills have to hit batches under way"
    storage.close()


async def until_ended(storage: Storage, running: int) -> None:
    """Returns when the first of so many runs has ended."""
    while (await storage.queue.depth()).running >= running:
        pass


async def counts_and_scan(storage: Storage, batch_id: str) -> Counter[str]:
    """The counts of a batch, which are those of its runs."""
    batch = await storage.batches.get(Scope.everything(), batch_id)
    runs = await storage.batches.runs(Scope.everything(), batch_id, statuses=None, limit=1000, offset=0)
    assert batch is not None
    assert runs is not None
    counts = Counter(asdict(batch.counts))
    assert +counts == Counter(run.status for run in runs)
    return counts
