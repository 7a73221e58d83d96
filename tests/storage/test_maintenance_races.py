"""Two real processes that cancel, take back, deliver and forget."""

from __future__ import annotations

import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.deliveries import Delivery
from runyard.runtime.storage.port.queue import FinishResult, LeasedRun
from runyard.runtime.storage.port.runs import CancelAction, CancelResult, NewRun
from runyard.runtime.storage.port.workers import ReapResult

from .builders import claim, finish_request, insert, run_status, stateless
from .calls import Outcome, call, done, lost
from .races import ROUNDS, Race, Track, cancelling, claiming, reaping, running

HOOK = "http://127.0.0.1:9/"


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_cancel_and_claim(track: Track, action: CancelAction) -> None:
    async def prepare() -> Race[NewRun, CancelResult, list[LeasedRun]]:
        new_run = await insert(track.storage, stateless())
        return Race(new_run, cancelling(new_run, action), claiming("worker"))

    async def judge(new_run: NewRun, cancel: Outcome[CancelResult], claim: Outcome[list[LeasedRun]]) -> str:
        cancelled = done(cancel)
        if done(claim):
            assert (cancelled.ended, cancelled.requested) == ([], {new_run.run_id: "worker"})
            assert await run_status(track.storage, new_run) == "running"
            return "claim"
        assert (cancelled.ended, cancelled.requested) == ([new_run.run_id], {})
        assert await run_status(track.storage, new_run) == ("interrupted" if action == "interrupt" else None)
        return "cancel"

    assert await track.repeat(ROUNDS, prepare, judge) == {"cancel", "claim"}


async def test_cancel_and_release(track: Track) -> None:
    async def prepare() -> Race[NewRun, CancelResult, FinishResult | None]:
        new_run, lease = await running(track)
        return Race(new_run, cancelling(new_run), call(lambda storage: storage.queue.release, lease))

    async def judge(new_run: NewRun, cancel: Outcome[CancelResult], release: Outcome[FinishResult | None]) -> str:
        assert await run_status(track.storage, new_run) == "interrupted"
        ended_by_release = done(release) is not None
        assert done(cancel).ended == ([] if ended_by_release else [new_run.run_id])
        return "cancel" if ended_by_release else "release"

    assert await track.repeat(ROUNDS, prepare, judge) == {"cancel", "release"}


async def test_cancel_and_cancel(track: Track) -> None:
    async def prepare() -> Race[NewRun, CancelResult, CancelResult]:
        new_run = await insert(track.storage, stateless(webhook=HOOK))
        return Race(new_run, cancelling(new_run), cancelling(new_run, "rollback"))

    async def judge(new_run: NewRun, interrupt: Outcome[CancelResult], roll_back: Outcome[CancelResult]) -> str:
        assert len(done(interrupt).ended) + len(done(roll_back).ended) == 1
        winner = "interrupt" if done(interrupt).ended else "rollback"
        assert await run_status(track.storage, new_run) == ("interrupted" if winner == "interrupt" else None)
        assert len(await track.storage.deliveries.claim(9, 3600.0)) == (winner == "interrupt")
        return winner

    assert await track.repeat(ROUNDS, prepare, judge) == {"interrupt", "rollback"}


async def test_reap_and_reap(track: Track) -> None:
    async def prepare() -> Race[NewRun, ReapResult, ReapResult]:
        new_run, _ = await running(track)
        return Race(new_run, reaping(), reaping())

    async def judge(new_run: NewRun, left: Outcome[ReapResult], right: Outcome[ReapResult]) -> str:
        assert done(left).requeued + done(right).requeued == 1
        lease = (await claim(track.storage, "worker", new_run)).lease
        assert lease.attempt == 2
        assert (await track.storage.workers.reap("worker", max_attempts=3)).solo == 1, "it was one crash, not two"
        return "left" if done(left).requeued else "right"

    assert await track.repeat(ROUNDS, prepare, judge) == {"left", "right"}


async def test_reap_and_release(track: Track) -> None:
    async def prepare() -> Race[NewRun, ReapResult, FinishResult | None]:
        new_run, lease = await running(track)
        return Race(new_run, reaping(), call(lambda storage: storage.queue.release, lease))

    async def judge(new_run: NewRun, reap: Outcome[ReapResult], release: Outcome[FinishResult | None]) -> str:
        assert lost(release) == (done(reap).requeued == 1)
        assert await run_status(track.storage, new_run) == "pending"
        return "reap" if lost(release) else "release"

    assert await track.repeat(ROUNDS, prepare, judge) == {"reap", "release"}


async def test_a_delivery_is_claimed_once(track: Track) -> None:
    async def prepare() -> Race[set[str], list[Delivery], list[Delivery]]:
        run_ids = set()
        for _ in range(6):
            new_run, lease = await running(track, webhook=HOOK)
            await track.storage.queue.finish(finish_request(lease))
            run_ids.add(new_run.run_id)
        claim_four = call(lambda storage: storage.deliveries.claim, 4, 3600.0)
        return Race(run_ids, claim_four, claim_four)

    async def judge(run_ids: set[str], left: Outcome[list[Delivery]], right: Outcome[list[Delivery]]) -> str:
        claimed = [delivery.run_id for delivery in done(left) + done(right)]
        assert len(claimed) == 6
        assert set(claimed) == run_ids
        return "left" if len(done(left)) == 4 else "right"

    assert await track.repeat(ROUNDS // 2, prepare, judge) == {"left", "right"}


async def test_outcomes_are_forgotten_once(track: Track) -> None:
    async def prepare() -> Race[list[NewRun], int, int]:
        while await track.storage.runs.forget_outcomes(-1.0, 1000):
            pass
        held = [await running(track, temporary=True) for _ in range(4)]
        for _, lease in held:
            await track.storage.queue.finish(finish_request(lease, temporary=True))
        forget_three = call(lambda storage: storage.runs.forget_outcomes, -1.0, 3)
        return Race([new_run for new_run, _ in held], forget_three, forget_three)

    async def judge(new_runs: list[NewRun], left: Outcome[int], right: Outcome[int]) -> str:
        assert {done(left), done(right)} == {1, 3}
        for new_run in new_runs:
            assert await track.storage.runs.locate(Scope.everything(), new_run.run_id) is None
        return "left" if done(left) == 3 else "right"

    assert await track.repeat(ROUNDS // 2, prepare, judge) == {"left", "right"}
