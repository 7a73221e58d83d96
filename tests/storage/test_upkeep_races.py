"""Two real processes that cancel, take back, deliver and forget."""

from __future__ import annotations

from typing import Any

import pytest

from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.runs import NewRun

from .making import claim, ending, put, stateless, status
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


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_cancel_and_claim(track: Track, action: str) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft = await put(track.storage, stateless())
        return draft, cancelling(draft, action), claiming("worker")

    async def finish(draft: NewRun, cancel: Outcome, claim: Outcome) -> str:
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

    async def finish(draft: NewRun, cancel: Outcome, release: Outcome) -> str:
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

    async def finish(draft: NewRun, interrupt: Outcome, roll_back: Outcome) -> str:
        assert len(done(interrupt).ended) + len(done(roll_back).ended) == 1
        winner = "interrupt" if done(interrupt).ended else "rollback"
        assert await status(track.storage, draft) == ("interrupted" if winner == "interrupt" else None)
        assert len(await track.storage.deliveries.claim(9, 3600.0)) == (winner == "interrupt")
        return winner

    assert await track.repeat(ROUNDS, prepare, finish) == {"interrupt", "rollback"}


async def test_reap_and_reap(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, _ = await running(track)
        return draft, *[call("workers.reap", "worker", max_attempts=3)] * 2

    async def finish(draft: NewRun, *outcomes: Outcome) -> str:
        assert sum(done(outcome).requeued for outcome in outcomes) == 1
        lease = (await claim(track.storage, "worker", draft)).lease
        assert lease.attempt == 2
        assert (await track.storage.workers.reap("worker", max_attempts=3)).solo == 1, "it was one crash, not two"
        return "left" if done(outcomes[0]).requeued else "right"

    assert await track.repeat(ROUNDS, prepare, finish) == {"left", "right"}


async def test_reap_and_release(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        draft, lease = await running(track)
        return draft, call("workers.reap", "worker", max_attempts=3), call("queue.release", lease)

    async def finish(draft: NewRun, reap: Outcome, release: Outcome) -> str:
        assert lost(release) == (done(reap).requeued == 1)
        assert await status(track.storage, draft) == "pending"
        return "reap" if lost(release) else "release"

    assert await track.repeat(ROUNDS, prepare, finish) == {"reap", "release"}


async def test_a_delivery_is_claimed_once(track: Track) -> None:
    async def prepare() -> tuple[Any, ...]:
        drafts = []
        for _ in range(6):
            draft, lease = await running(track, webhook="http://127.0.0.1:9/")
            await track.storage.queue.finish(ending(lease))
            drafts.append(draft)
        return {draft.run_id for draft in drafts}, *[call("deliveries.claim", 4, 3600.0)] * 2

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

    async def finish(drafts: list[tuple[NewRun, Lease]], *outcomes: Outcome) -> str:
        assert sorted(done(outcome) for outcome in outcomes) == [1, 3]
        for draft, _ in drafts:
            assert await track.storage.runs.locate(draft.run_id) is None
        return "left" if done(outcomes[0]) == 3 else "right"

    assert await track.repeat(ROUNDS // 2, prepare, finish) == {"left", "right"}
