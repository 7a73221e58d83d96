"""Two real processes at the same transition: exactly one wins, and there is nothing in between."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from runyard.runtime.errors import Conflict, LeaseLost, NotFound
from runyard.runtime.storage.records import Finished, Lease, RunDraft

from .backends import BACKENDS
from .making import claim, ending, on_thread, put, put_thread, stateless, status, thread_status
from .races import Call, Outcome, Racer, Track, call

ROUNDS = 24


@pytest.fixture(scope="module", params=list(BACKENDS))
def track(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Track]:
    """Both racers open the database, which does not exist yet, at once: that is the first race."""
    directory: Path = tmp_path_factory.mktemp("race")
    racers = [Racer(request.param, directory) for _ in range(2)]
    storage = BACKENDS[request.param].make(directory)
    try:
        for racer in racers:
            racer.await_ready()
        storage.open(tend=False)
        yield Track(storage, racers)
        storage.close()
    finally:
        for racer in racers:
            racer.close()


def lost(outcome: Outcome) -> bool:
    return outcome[:2] == ("raised", LeaseLost)


def done(outcome: Outcome) -> Any:
    assert outcome[0] == "done", outcome
    return outcome[1]


def claiming(worker: str, limit: int = 5) -> Call:
    return call("queue.claim", worker, limit=limit, interactive=limit)


def cancelling(draft: RunDraft, action: str = "interrupt") -> Call:
    return call("runs.cancel", [(draft.thread_id, draft.run_id)], action)


async def test_claim_and_claim(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft = await put(track.storage, stateless())
        return draft, claiming("left"), claiming("right")

    async def finish(draft: RunDraft, *outcomes: Outcome) -> str:
        claims = [done(outcome) for outcome in outcomes]
        (leased,) = claims[0] + claims[1]
        assert leased.lease.run_id == draft.run_id
        assert await status(track.storage, draft) == "running"
        return leased.lease.worker

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


async def test_claims_of_many_runs_share_them(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        drafts = [stateless() for _ in range(60)]
        await put(track.storage, *drafts)
        return {draft.run_id for draft in drafts}, claiming("left", 40), claiming("right", 40)

    async def finish(wanted: set[str], *outcomes: Outcome) -> str:
        claimed = [leased.lease.run_id for outcome in outcomes for leased in done(outcome)]
        assert len(claimed) == 60
        assert set(claimed) == wanted
        return "left" if len(done(outcomes[0])) == 40 else "right"

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


async def test_runs_of_one_thread_are_never_claimed_together(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        thread_id = await put_thread(track.storage)
        drafts = [on_thread(thread_id) for _ in range(3)]
        await put(track.storage, *drafts)
        return drafts, claiming("left"), claiming("right")

    async def finish(drafts: list[RunDraft], *outcomes: Outcome) -> str:
        (leased,) = done(outcomes[0]) + done(outcomes[1])
        assert leased.lease.run_id == drafts[0].run_id
        return str(leased.lease.worker)

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


async def running(track: Track, **changes: Any) -> tuple[RunDraft, Lease]:
    draft = await put(track.storage, stateless(**changes))
    return draft, (await claim(track.storage, "worker", draft)).lease


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_finish_and_cancel(track: Track, action: str) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, lease = await running(track)
        return draft, call("queue.finish", ending(lease)), cancelling(draft, action)

    async def finish(draft: RunDraft, end: Outcome, cancel: Outcome) -> str:
        done(end)
        outcome = done(cancel)
        assert outcome.ended == []
        assert await status(track.storage, draft) == "success"
        assert await thread_status(track.storage, draft.thread_id) == "idle"
        return "cancel" if outcome.requested else "finish"

    assert await track.repeat(ROUNDS, prepare, finish) == {"cancel", "finish"}


async def test_finish_and_reap(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, lease = await running(track)
        return draft, call("queue.finish", ending(lease)), call("queue.reap", "worker", max_attempts=3)

    async def finish(draft: RunDraft, end: Outcome, reap: Outcome) -> str:
        requeued = done(reap).requeued
        assert lost(end) == (requeued == 1)
        assert await status(track.storage, draft) == ("pending" if requeued else "success")
        return "reap" if requeued else "finish"

    assert await track.repeat(ROUNDS, prepare, finish) == {"reap", "finish"}


async def test_finish_and_the_last_reap(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, lease = await running(track, webhook="http://127.0.0.1:9/")
        return draft, call("queue.finish", ending(lease)), call("queue.reap", "worker", max_attempts=1)

    async def finish(draft: RunDraft, end: Outcome, reap: Outcome) -> str:
        ended = bool(done(reap).ended)
        assert lost(end) == ended
        assert await status(track.storage, draft) == ("error" if ended else "success")
        assert await thread_status(track.storage, draft.thread_id) == ("error" if ended else "idle")
        (delivery,) = await track.storage.deliveries.claim_deliveries(9, 3600.0)
        assert orjson.loads(delivery.payload)["status"] == ("error" if ended else "success")
        return "reap" if ended else "finish"

    assert await track.repeat(ROUNDS, prepare, finish) == {"reap", "finish"}


async def test_finish_and_finish(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, lease = await running(track)
        ends = [ending(lease, answer=answer, values=answer) for answer in (b'"left"', b'"right"')]
        return (draft, *(call("queue.finish", end) for end in ends))

    async def finish(draft: RunDraft, *outcomes: Outcome) -> str:
        assert [lost(outcome) for outcome in outcomes].count(True) == 1
        winner = "right" if lost(outcomes[0]) else "left"
        (ended,) = await track.storage.runs.ended([draft.run_id])
        assert ended.answer.decode() == f'"{winner}"'
        assert await track.storage.threads.values(draft.thread_id) == ended.answer
        return winner

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


async def test_finish_and_delete(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, lease = await running(track)
        return draft, call("queue.finish", ending(lease)), call("runs.delete", draft.thread_id, draft.run_id)

    async def finish(draft: RunDraft, end: Outcome, delete: Outcome) -> str:
        done(delete)
        assert await status(track.storage, draft) is None
        assert await thread_status(track.storage, draft.thread_id) == "idle"
        values = await track.storage.threads.values(draft.thread_id)
        assert (values is None) == lost(end)
        return "delete" if lost(end) else "finish"

    assert await track.repeat(ROUNDS, prepare, finish) == {"delete", "finish"}


async def test_finish_and_giving_back_what_is_not_held(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, lease = await running(track)
        return draft, call("queue.finish", ending(lease)), call("queue.heartbeat", "worker", 1, [])

    async def finish(draft: RunDraft, end: Outcome, beat: Outcome) -> str:
        done(beat)
        assert await status(track.storage, draft) == ("pending" if lost(end) else "success")
        return "beat" if lost(end) else "finish"

    assert await track.repeat(ROUNDS, prepare, finish) == {"beat", "finish"}


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_cancel_and_claim(track: Track, action: str) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft = await put(track.storage, stateless())
        return draft, cancelling(draft, action), claiming("worker")

    async def finish(draft: RunDraft, cancel: Outcome, claim: Outcome) -> str:
        outcome, claimed = done(cancel), done(claim)
        if claimed:
            assert (outcome.ended, outcome.requested) == ([], {draft.run_id: "worker"})
            assert await status(track.storage, draft) == "running"
            return "claim"
        assert (outcome.ended, outcome.requested) == ([draft.run_id], {})
        assert await status(track.storage, draft) == ("interrupted" if action == "interrupt" else None)
        return "cancel"

    assert await track.repeat(ROUNDS, prepare, finish) == {"cancel", "claim"}


async def test_cancel_and_release(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, lease = await running(track)
        return draft, cancelling(draft), call("queue.release", lease)

    async def finish(draft: RunDraft, cancel: Outcome, release: Outcome) -> str:
        done(release)
        outcome = done(cancel)
        if outcome.ended:
            assert await status(track.storage, draft) == "interrupted"
            return "release"
        assert (await claim(track.storage, "next", draft)).cancel == "interrupt"
        return "cancel"

    assert await track.repeat(ROUNDS, prepare, finish) == {"cancel", "release"}


async def test_cancel_and_cancel(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft = await put(track.storage, stateless(webhook="http://127.0.0.1:9/"))
        return draft, cancelling(draft), cancelling(draft, "rollback")

    async def finish(draft: RunDraft, interrupt: Outcome, roll_back: Outcome) -> str:
        assert len(done(interrupt).ended) + len(done(roll_back).ended) == 1
        winner = "interrupt" if done(interrupt).ended else "rollback"
        assert await status(track.storage, draft) == ("interrupted" if winner == "interrupt" else None)
        assert len(await track.storage.deliveries.claim_deliveries(9, 3600.0)) == (winner == "interrupt")
        return winner

    assert await track.repeat(ROUNDS, prepare, finish) == {"interrupt", "rollback"}


async def test_reap_and_reap(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, _ = await running(track)
        return draft, *[call("queue.reap", "worker", max_attempts=3)] * 2

    async def finish(draft: RunDraft, *outcomes: Outcome) -> str:
        assert sum(done(outcome).requeued for outcome in outcomes) == 1
        lease = (await claim(track.storage, "worker", draft)).lease
        assert lease.attempt == 2
        assert (await track.storage.queue.reap("worker", max_attempts=3)).solo == 1, "it was one crash, not two"
        return "left" if done(outcomes[0]).requeued else "right"

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


async def test_reap_and_release(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, lease = await running(track)
        return draft, call("queue.reap", "worker", max_attempts=3), call("queue.release", lease)

    async def finish(draft: RunDraft, reap: Outcome, release: Outcome) -> str:
        assert lost(release) == (done(reap).requeued == 1)
        assert await status(track.storage, draft) == "pending"
        return "reap" if lost(release) else "release"

    assert await track.repeat(ROUNDS, prepare, finish) == {"reap", "release"}


def inserting(thread_id: str, strategy: str, **changes: Any) -> tuple[RunDraft, Call]:
    draft = on_thread(thread_id, strategy=strategy, **changes)
    return draft, call("runs.insert", [draft])


async def test_two_inserts_of_which_each_rejects_the_other(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        thread_id = await put_thread(track.storage)
        (left, insert_left), (right, insert_right) = (inserting(thread_id, "reject") for _ in range(2))
        return left, right, insert_left, insert_right

    async def finish(left: RunDraft, right: RunDraft, *outcomes: Outcome) -> str:
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

    async def finish(left: RunDraft, right: RunDraft, *outcomes: Outcome) -> str:
        ready = [done(outcome)[1].ready for outcome in outcomes]
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

    async def finish(left: RunDraft, right: RunDraft, *outcomes: Outcome) -> str:
        ended = [done(outcome)[1].cancelled.ended for outcome in outcomes]
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

    async def finish(before: RunDraft, draft: RunDraft, insert: Outcome, end: Outcome) -> str:
        promoted = done(end).promoted
        if insert[:2] == ("raised", Conflict):
            assert strategy == "reject"
            assert promoted == 0
            assert await status(track.storage, draft) is None
            return "insert"
        ready = done(insert)[1].ready
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

    async def finish(draft: RunDraft, insert: Outcome, end: Outcome) -> str:
        assert isinstance(done(end), Finished)
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

    async def finish(left: RunDraft, *outcomes: Outcome) -> str:
        ready = [done(outcome)[1].ready for outcome in outcomes]
        assert sorted(ready) == [0, 1]
        assert await thread_status(track.storage, left.thread_id) == "busy"
        return "left" if ready[0] else "right"

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


async def due(track: Track) -> RunDraft:
    draft = await put(track.storage, on_thread(await put_thread(track.storage), delay=0.0005))
    await asyncio.sleep(0.001)
    return draft


async def test_a_run_becomes_due_once(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        return await due(track), *[call("queue.make_due", 10)] * 2

    async def finish(draft: RunDraft, *outcomes: Outcome) -> str:
        ready = [done(outcome)[0] for outcome in outcomes]
        assert sorted(ready) == [0, 1]
        await claim(track.storage, "worker", draft)
        return "left" if ready[0] else "right"

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


async def test_becoming_due_and_insert(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        delayed = await due(track)
        _, insert = inserting(delayed.thread_id, "enqueue")
        return delayed, call("queue.make_due", 10), insert

    async def finish(delayed: RunDraft, make_due: Outcome, insert: Outcome) -> str:
        ready = done(make_due)[0], done(insert)[1].ready
        assert sorted(ready) == [0, 1]
        depth = await track.storage.queue.depth()
        assert (depth.ready, depth.waiting, depth.delayed) == (1, 1, 0)
        return "due" if ready[0] else "insert"

    assert await track.repeat(ROUNDS, prepare, finish) == {"due", "insert"}


async def test_becoming_due_and_cancel(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft = await due(track)
        return draft, call("queue.make_due", 10), cancelling(draft)

    async def finish(draft: RunDraft, make_due: Outcome, cancel: Outcome) -> str:
        assert done(cancel).ended == [draft.run_id]
        assert await status(track.storage, draft) == "interrupted"
        return "due" if done(make_due)[0] else "cancel"

    assert await track.repeat(ROUNDS, prepare, finish) == {"due", "cancel"}


async def test_a_delivery_is_claimed_once(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        drafts = []
        for _ in range(6):
            draft, lease = await running(track, webhook="http://127.0.0.1:9/")
            await track.storage.queue.finish(ending(lease))
            drafts.append(draft)
        return {draft.run_id for draft in drafts}, *[call("deliveries.claim_deliveries", 4, 3600.0)] * 2

    async def finish(wanted: set[str], *outcomes: Outcome) -> str:
        claimed = [delivery.run_id for outcome in outcomes for delivery in done(outcome)]
        assert len(claimed) == 6
        assert set(claimed) == wanted
        return "left" if len(done(outcomes[0])) == 4 else "right"

    assert await track.repeat(ROUNDS // 2, prepare, finish) == {"left", "right"}


async def test_outcomes_are_forgotten_once(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        while await track.storage.runs.forget_outcomes(-1.0, 1000):
            pass
        drafts = [(await running(track, temporary=True)) for _ in range(4)]
        for _, lease in drafts:
            await track.storage.queue.finish(ending(lease, temporary=True))
        return drafts, *[call("runs.forget_outcomes", -1.0, 3)] * 2

    async def finish(drafts: list[tuple[RunDraft, Lease]], *outcomes: Outcome) -> str:
        assert sorted(done(outcome) for outcome in outcomes) == [1, 3]
        for draft, _ in drafts:
            assert await track.storage.runs.place(draft.run_id) is None
        return "left" if done(outcomes[0]) == 3 else "right"

    assert await track.repeat(ROUNDS // 2, prepare, finish) == {"left", "right"}
