"""Two real processes at the same transition: claims and ends. Exactly one wins, and there is nothing in between."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from runyard.runtime.storage.port.runs import NewRun

from .making import ending, on_thread, put, put_thread, stateless, status, thread_status
from .races import (
    ROUNDS,
    Outcome,
    Track,
    call,
    cancelling,
    claiming,
    done,
    lost,
    running,
)


async def test_claim_and_claim(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft = await put(track.storage, stateless())
        return draft, claiming("left"), claiming("right")

    async def finish(draft: NewRun, *outcomes: Outcome) -> str:
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

    async def finish(drafts: list[NewRun], *outcomes: Outcome) -> str:
        (leased,) = done(outcomes[0]) + done(outcomes[1])
        assert leased.lease.run_id == drafts[0].run_id
        return str(leased.lease.worker)

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_finish_and_cancel(track: Track, action: str) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, lease = await running(track)
        return draft, call("queue.finish", ending(lease)), cancelling(draft, action)

    async def finish(draft: NewRun, end: Outcome, cancel: Outcome) -> str:
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
        return draft, call("queue.finish", ending(lease)), call("workers.reap", "worker", max_attempts=3)

    async def finish(draft: NewRun, end: Outcome, reap: Outcome) -> str:
        requeued = done(reap).requeued
        assert lost(end) == (requeued == 1)
        assert await status(track.storage, draft) == ("pending" if requeued else "success")
        return "reap" if requeued else "finish"

    assert await track.repeat(ROUNDS, prepare, finish) == {"reap", "finish"}


async def test_finish_and_the_last_reap(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, lease = await running(track, webhook="http://127.0.0.1:9/")
        return draft, call("queue.finish", ending(lease)), call("workers.reap", "worker", max_attempts=1)

    async def finish(draft: NewRun, end: Outcome, reap: Outcome) -> str:
        ended = bool(done(reap).ended)
        assert lost(end) == ended
        assert await status(track.storage, draft) == ("error" if ended else "success")
        assert await thread_status(track.storage, draft.thread_id) == ("error" if ended else "idle")
        (delivery,) = await track.storage.deliveries.claim(9, 3600.0)
        assert orjson.loads(delivery.payload)["status"] == ("error" if ended else "success")
        return "reap" if ended else "finish"

    assert await track.repeat(ROUNDS, prepare, finish) == {"reap", "finish"}


async def test_finish_and_finish(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, lease = await running(track)
        ends = [ending(lease, answer=answer, values=answer) for answer in (b'"left"', b'"right"')]
        return (draft, *(call("queue.finish", end) for end in ends))

    async def finish(draft: NewRun, *outcomes: Outcome) -> str:
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

    async def finish(draft: NewRun, end: Outcome, delete: Outcome) -> str:
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
        return draft, call("queue.finish", ending(lease)), call("workers.heartbeat", "worker", 1, [])

    async def finish(draft: NewRun, end: Outcome, beat: Outcome) -> str:
        done(beat)
        assert await status(track.storage, draft) == ("pending" if lost(end) else "success")
        return "beat" if lost(end) else "finish"

    assert await track.repeat(ROUNDS, prepare, finish) == {"beat", "finish"}
