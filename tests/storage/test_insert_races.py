"""Two real processes that put runs on a thread, or one that does while another ends what is there."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from runyard.runtime.errors import Conflict, NotFound
from runyard.runtime.storage.port.queue import FinishResult
from runyard.runtime.storage.port.runs import NewRun

from .making import claim, ending, put_thread, status, thread_status
from .races import (
    ROUNDS,
    Outcome,
    Track,
    call,
    cancelling,
    done,
    due,
    inserting,
    running,
)


async def test_two_inserts_of_which_each_rejects_the_other(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        thread_id = await put_thread(track.storage)
        (left, insert_left), (right, insert_right) = (inserting(thread_id, "reject") for _ in range(2))
        return left, right, insert_left, insert_right

    async def finish(left: NewRun, right: NewRun, *outcomes: Outcome) -> str:
        refused = [outcome[:2] == ("raised", Conflict) for outcome in outcomes]
        assert refused.count(True) == 1
        winner, loser = (right, left) if refused[0] else (left, right)
        assert await status(track.storage, winner) == "pending"
        assert await status(track.storage, loser) is None
        return "right" if refused[0] else "left"

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


async def test_two_inserts_that_queue_up(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        thread_id = await put_thread(track.storage)
        (left, insert_left), (right, insert_right) = (inserting(thread_id, "enqueue") for _ in range(2))
        return left, right, insert_left, insert_right

    async def finish(left: NewRun, right: NewRun, *outcomes: Outcome) -> str:
        ready = [done(outcome).ready for outcome in outcomes]
        assert sorted(ready) == [0, 1]
        first, second = (left, right) if ready[0] else (right, left)
        lease = (await claim(track.storage, "worker", first)).lease
        await track.storage.queue.finish(ending(lease))
        await claim(track.storage, "worker", second)
        return "left" if ready[0] else "right"

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_two_inserts_that_push_each_other_aside(track: Track, strategy: str) -> None:
    async def prepare() -> tuple[Any, ...]:
        thread_id = await put_thread(track.storage)
        (left, insert_left), (right, insert_right) = (inserting(thread_id, strategy) for _ in range(2))
        return left, right, insert_left, insert_right

    async def finish(left: NewRun, right: NewRun, *outcomes: Outcome) -> str:
        ended = [done(outcome).cancelled.ended for outcome in outcomes]
        assert sorted(map(len, ended)) == [0, 1], "the later one ends the earlier one"
        winner, loser = (left, right) if ended[0] else (right, left)
        assert await status(track.storage, winner) == "pending"
        assert await status(track.storage, loser) == ("interrupted" if strategy == "interrupt" else None)
        await claim(track.storage, "worker", winner)
        return "left" if ended[0] else "right"

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


@pytest.mark.parametrize("strategy", ["reject", "enqueue", "interrupt", "rollback"])
async def test_insert_and_the_end_of_the_run_before(track: Track, strategy: str) -> None:
    async def prepare() -> tuple[Any, ...]:
        before, lease = await running(track)
        draft, insert = inserting(before.thread_id, strategy)
        return before, draft, insert, call("queue.finish", ending(lease))

    async def finish(before: NewRun, draft: NewRun, insert: Outcome, end: Outcome) -> str:
        promoted = done(end).promoted
        if insert[:2] == ("raised", Conflict):
            assert strategy == "reject"
            assert promoted == 0
            assert await status(track.storage, draft) is None
            return "insert"
        ready = done(insert).ready
        assert (ready, promoted) in ((1, 0), (0, 1)), "somebody has to wake a worker, once"
        assert await status(track.storage, before) == "success"
        await claim(track.storage, "worker", draft)
        return "insert" if promoted else "finish"

    assert await track.repeat(ROUNDS, prepare, finish) == {"insert", "finish"}


async def test_insert_and_the_end_of_a_temporary_thread(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        before, lease = await running(track, temporary=True)
        draft, insert = inserting(before.thread_id, "enqueue")
        return draft, insert, call("queue.finish", ending(lease, temporary=True))

    async def finish(draft: NewRun, insert: Outcome, end: Outcome) -> str:
        assert isinstance(done(end), FinishResult)
        if insert[:2] == ("raised", NotFound):
            assert await thread_status(track.storage, draft.thread_id) is None
            return "finish"
        done(insert)
        await track.storage.queue.finish(ending((await claim(track.storage, "worker", draft)).lease))
        assert await thread_status(track.storage, draft.thread_id) == "idle"
        return "insert"

    assert await track.repeat(ROUNDS, prepare, finish) == {"insert", "finish"}


async def test_two_inserts_that_make_the_thread(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        thread_id = str(uuid.uuid4())
        (left, insert_left), (_, insert_right) = (inserting(thread_id, "enqueue", create_thread=True) for _ in range(2))
        return left, insert_left, insert_right

    async def finish(left: NewRun, *outcomes: Outcome) -> str:
        ready = [done(outcome).ready for outcome in outcomes]
        assert sorted(ready) == [0, 1]
        assert await thread_status(track.storage, left.thread_id) == "busy"
        return "left" if ready[0] else "right"

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


async def test_a_run_becomes_due_once(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        return await due(track), *[call("queue.make_due", 10)] * 2

    async def finish(draft: NewRun, *outcomes: Outcome) -> str:
        ready = [done(outcome).ready for outcome in outcomes]
        assert sorted(ready) == [0, 1]
        await claim(track.storage, "worker", draft)
        return "left" if ready[0] else "right"

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


async def test_becoming_due_and_insert(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        delayed = await due(track)
        _, insert = inserting(delayed.thread_id, "enqueue")
        return delayed, call("queue.make_due", 10), insert

    async def finish(delayed: NewRun, make_due: Outcome, insert: Outcome) -> str:
        ready = done(make_due).ready, done(insert).ready
        assert sorted(ready) == [0, 1]
        depth = await track.storage.queue.depth()
        assert (depth.ready, depth.waiting, depth.delayed) == (1, 1, 0)
        return "due" if ready[0] else "insert"

    assert await track.repeat(ROUNDS, prepare, finish) == {"due", "insert"}


async def test_becoming_due_and_cancel(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft = await due(track)
        return draft, call("queue.make_due", 10), cancelling(draft)

    async def finish(draft: NewRun, make_due: Outcome, cancel: Outcome) -> str:
        assert done(cancel).ended == [draft.run_id]
        assert await status(track.storage, draft) == "interrupted"
        return "due" if done(make_due).ready else "cancel"

    assert await track.repeat(ROUNDS, prepare, finish) == {"due", "cancel"}
