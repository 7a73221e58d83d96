"""Two real processes that put runs on a thread, or one that does while another ends what is there."""

from __future__ import annotations

import uuid

import pytest

from runyard.runtime.errors import Conflict, NotFound
from runyard.runtime.storage.port.queue import DueResult, FinishResult
from runyard.runtime.storage.port.runs import CancelResult, InsertResult, NewRun, Strategy

from .builders import claim, finish_request, idle_thread, on_thread, run_status, thread_status
from .calls import Call, Outcome, call, done, raised
from .races import ROUNDS, Race, Track, cancelling, due, finishing, inserting, running

Rivals = tuple[NewRun, NewRun]


def rivals(
    thread_id: str, strategy: Strategy, *, create_thread: bool = False
) -> Race[Rivals, InsertResult, InsertResult]:
    """Two runs that are put on one thread."""
    left, right = (on_thread(thread_id, strategy=strategy, create_thread=create_thread) for _ in range(2))
    return Race((left, right), inserting(left), inserting(right))


def making_due() -> Call[DueResult]:
    return call(lambda storage: storage.queue.make_due, 10)


async def test_two_inserts_of_which_each_rejects_the_other(track: Track) -> None:
    async def prepare() -> Race[Rivals, InsertResult, InsertResult]:
        return rivals(await idle_thread(track.storage), "reject")

    async def judge(new_runs: Rivals, left: Outcome[InsertResult], right: Outcome[InsertResult]) -> str:
        assert raised(left, Conflict) != raised(right, Conflict)
        winner, loser = reversed(new_runs) if raised(left, Conflict) else new_runs
        assert await run_status(track.storage, winner) == "pending"
        assert await run_status(track.storage, loser) is None
        return "right" if raised(left, Conflict) else "left"

    assert await track.repeat(ROUNDS, prepare, judge) == {"left", "right"}


async def test_two_inserts_that_queue_up(track: Track) -> None:
    async def prepare() -> Race[Rivals, InsertResult, InsertResult]:
        return rivals(await idle_thread(track.storage), "enqueue")

    async def judge(new_runs: Rivals, left: Outcome[InsertResult], right: Outcome[InsertResult]) -> str:
        assert {done(left).ready, done(right).ready} == {0, 1}
        first, second = new_runs if done(left).ready else reversed(new_runs)
        lease = (await claim(track.storage, "worker", first)).lease
        await track.storage.queue.finish(finish_request(lease))
        await claim(track.storage, "worker", second)
        return "left" if done(left).ready else "right"

    assert await track.repeat(ROUNDS, prepare, judge) == {"left", "right"}


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_two_inserts_that_push_each_other_aside(track: Track, strategy: Strategy) -> None:
    async def prepare() -> Race[Rivals, InsertResult, InsertResult]:
        return rivals(await idle_thread(track.storage), strategy)

    async def judge(new_runs: Rivals, left: Outcome[InsertResult], right: Outcome[InsertResult]) -> str:
        ended = [done(outcome).cancelled.ended for outcome in (left, right)]
        assert sorted(map(len, ended)) == [0, 1], "the later one ends the earlier one"
        winner, loser = new_runs if ended[0] else reversed(new_runs)
        assert await run_status(track.storage, winner) == "pending"
        assert await run_status(track.storage, loser) == ("interrupted" if strategy == "interrupt" else None)
        await claim(track.storage, "worker", winner)
        return "left" if ended[0] else "right"

    assert await track.repeat(ROUNDS, prepare, judge) == {"left", "right"}


@pytest.mark.parametrize("strategy", ["reject", "enqueue", "interrupt", "rollback"])
async def test_insert_and_the_end_of_the_run_before(track: Track, strategy: Strategy) -> None:
    async def prepare() -> Race[Rivals, InsertResult, FinishResult]:
        before, lease = await running(track)
        new_run = on_thread(before.thread_id, strategy=strategy)
        return Race((before, new_run), inserting(new_run), finishing(finish_request(lease)))

    async def judge(new_runs: Rivals, insert: Outcome[InsertResult], finish: Outcome[FinishResult]) -> str:
        before, new_run = new_runs
        promoted = done(finish).promoted
        if raised(insert, Conflict):
            assert strategy == "reject"
            assert promoted == 0
            assert await run_status(track.storage, new_run) is None
            return "insert"
        assert (done(insert).ready, promoted) in ((1, 0), (0, 1)), "somebody has to wake a worker, once"
        stopped = {"interrupt": "interrupted", "rollback": None}  # what asks first, holds
        expected = stopped.get(strategy, "success") if promoted else "success"
        assert await run_status(track.storage, before) == expected
        await claim(track.storage, "worker", new_run)
        return "insert" if promoted else "finish"

    assert await track.repeat(ROUNDS, prepare, judge) == {"insert", "finish"}


async def test_insert_and_the_end_of_a_temporary_thread(track: Track) -> None:
    async def prepare() -> Race[NewRun, InsertResult, FinishResult]:
        before, lease = await running(track, temporary=True)
        new_run = on_thread(before.thread_id)
        return Race(new_run, inserting(new_run), finishing(finish_request(lease, temporary=True)))

    async def judge(new_run: NewRun, insert: Outcome[InsertResult], finish: Outcome[FinishResult]) -> str:
        done(finish)
        if raised(insert, NotFound):
            assert await thread_status(track.storage, new_run.thread_id) is None
            return "finish"
        done(insert)
        await track.storage.queue.finish(finish_request((await claim(track.storage, "worker", new_run)).lease))
        assert await thread_status(track.storage, new_run.thread_id) == "idle"
        return "insert"

    assert await track.repeat(ROUNDS, prepare, judge) == {"insert", "finish"}


async def test_two_inserts_that_make_the_thread(track: Track) -> None:
    async def prepare() -> Race[Rivals, InsertResult, InsertResult]:
        return rivals(str(uuid.uuid4()), "enqueue", create_thread=True)

    async def judge(new_runs: Rivals, left: Outcome[InsertResult], right: Outcome[InsertResult]) -> str:
        assert {done(left).ready, done(right).ready} == {0, 1}
        assert await thread_status(track.storage, new_runs[0].thread_id) == "busy"
        return "left" if done(left).ready else "right"

    assert await track.repeat(ROUNDS, prepare, judge) == {"left", "right"}


async def test_a_run_becomes_due_once(track: Track) -> None:
    async def prepare() -> Race[NewRun, DueResult, DueResult]:
        return Race(await due(track), making_due(), making_due())

    async def judge(new_run: NewRun, left: Outcome[DueResult], right: Outcome[DueResult]) -> str:
        assert {done(left).ready, done(right).ready} == {0, 1}
        await claim(track.storage, "worker", new_run)
        return "left" if done(left).ready else "right"

    assert await track.repeat(ROUNDS, prepare, judge) == {"left", "right"}


async def test_becoming_due_and_insert(track: Track) -> None:
    async def prepare() -> Race[NewRun, DueResult, InsertResult]:
        delayed = await due(track)
        return Race(delayed, making_due(), inserting(on_thread(delayed.thread_id)))

    async def judge(delayed: NewRun, make_due: Outcome[DueResult], insert: Outcome[InsertResult]) -> str:
        assert {done(make_due).ready, done(insert).ready} == {0, 1}
        depth = await track.storage.queue.depth()
        assert (depth.ready, depth.waiting, depth.delayed) == (1, 1, 0)
        return "due" if done(make_due).ready else "insert"

    assert await track.repeat(ROUNDS, prepare, judge) == {"due", "insert"}


async def test_becoming_due_and_cancel(track: Track) -> None:
    async def prepare() -> Race[NewRun, DueResult, CancelResult]:
        new_run = await due(track)
        return Race(new_run, making_due(), cancelling(new_run))

    async def judge(new_run: NewRun, make_due: Outcome[DueResult], cancel: Outcome[CancelResult]) -> str:
        assert done(cancel).ended == [new_run.run_id]
        assert await run_status(track.storage, new_run) == "interrupted"
        return "due" if done(make_due).ready else "cancel"

    assert await track.repeat(ROUNDS, prepare, judge) == {"due", "cancel"}
