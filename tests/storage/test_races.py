"""Two real processes at the same transition: claims and ends. Exactly one wins, and there is nothing in between."""

from __future__ import annotations

import orjson
import pytest

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.queue import FinishResult, LeasedRun
from runyard.runtime.storage.port.runs import CancelAction, CancelResult, NewRun
from runyard.runtime.storage.port.workers import HeartbeatResult, ReapResult

from .builders import finish_request, idle_thread, insert, on_thread, run_status, stateless, thread_status
from .calls import Outcome, call, done, lost
from .races import ROUNDS, Race, Track, cancelling, claiming, finishing, reaping, running

Claim = list[LeasedRun]


async def test_claim_and_claim(track: Track) -> None:
    async def prepare() -> Race[NewRun, Claim, Claim]:
        return Race(await insert(track.storage, stateless()), claiming("left"), claiming("right"))

    async def judge(new_run: NewRun, left: Outcome[Claim], right: Outcome[Claim]) -> str:
        (leased,) = done(left) + done(right)
        assert leased.lease.run_id == new_run.run_id
        assert await run_status(track.storage, new_run) == "running"
        return leased.lease.worker

    assert await track.repeat(ROUNDS, prepare, judge) == {"left", "right"}


async def test_claims_of_many_runs_share_them(track: Track) -> None:
    async def prepare() -> Race[set[str], Claim, Claim]:
        new_runs = [stateless() for _ in range(60)]
        await insert(track.storage, *new_runs)
        return Race({new_run.run_id for new_run in new_runs}, claiming("left", 40), claiming("right", 40))

    async def judge(wanted: set[str], left: Outcome[Claim], right: Outcome[Claim]) -> str:
        claimed = [leased.lease.run_id for leased in done(left) + done(right)]
        assert len(claimed) == 60
        assert set(claimed) == wanted
        return "left" if len(done(left)) == 40 else "right"

    assert await track.repeat(ROUNDS, prepare, judge) == {"left", "right"}


async def test_runs_of_one_thread_are_never_claimed_together(track: Track) -> None:
    async def prepare() -> Race[NewRun, Claim, Claim]:
        thread_id = await idle_thread(track.storage)
        first = await insert(track.storage, *(on_thread(thread_id) for _ in range(3)))
        return Race(first, claiming("left"), claiming("right"))

    async def judge(first: NewRun, left: Outcome[Claim], right: Outcome[Claim]) -> str:
        (leased,) = done(left) + done(right)
        assert leased.lease.run_id == first.run_id
        return leased.lease.worker

    assert await track.repeat(ROUNDS, prepare, judge) == {"left", "right"}


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_finish_and_cancel(track: Track, action: CancelAction) -> None:
    async def prepare() -> Race[NewRun, FinishResult, CancelResult]:
        new_run, lease = await running(track)
        return Race(new_run, finishing(finish_request(lease)), cancelling(new_run, action))

    async def judge(new_run: NewRun, finish: Outcome[FinishResult], cancel: Outcome[CancelResult]) -> str:
        assert done(cancel).ended == []
        accepted = bool(done(cancel).requested)
        assert done(finish).cancelled == (action if accepted else None)
        stopped = "interrupted" if action == "interrupt" else None
        assert await run_status(track.storage, new_run) == (stopped if accepted else "success")
        assert await thread_status(track.storage, new_run.thread_id) == "idle"
        return "cancel" if accepted else "finish"

    assert await track.repeat(ROUNDS, prepare, judge) == {"cancel", "finish"}


async def test_finish_and_reap(track: Track) -> None:
    async def prepare() -> Race[NewRun, FinishResult, ReapResult]:
        new_run, lease = await running(track)
        return Race(new_run, finishing(finish_request(lease)), reaping())

    async def judge(new_run: NewRun, finish: Outcome[FinishResult], reap: Outcome[ReapResult]) -> str:
        requeued = done(reap).requeued
        assert lost(finish) == (requeued == 1)
        assert await run_status(track.storage, new_run) == ("pending" if requeued else "success")
        return "reap" if requeued else "finish"

    assert await track.repeat(ROUNDS, prepare, judge) == {"reap", "finish"}


async def test_finish_and_the_last_reap(track: Track) -> None:
    async def prepare() -> Race[NewRun, FinishResult, ReapResult]:
        new_run, lease = await running(track, webhook="http://127.0.0.1:9/")
        return Race(new_run, finishing(finish_request(lease)), reaping(max_attempts=1))

    async def judge(new_run: NewRun, finish: Outcome[FinishResult], reap: Outcome[ReapResult]) -> str:
        ended = bool(done(reap).ended)
        assert lost(finish) == ended
        assert await run_status(track.storage, new_run) == ("error" if ended else "success")
        assert await thread_status(track.storage, new_run.thread_id) == ("error" if ended else "idle")
        (delivery,) = await track.storage.deliveries.claim(9, 3600.0)
        assert orjson.loads(delivery.payload)["status"] == ("error" if ended else "success")
        return "reap" if ended else "finish"

    assert await track.repeat(ROUNDS, prepare, judge) == {"reap", "finish"}


async def test_finish_and_finish(track: Track) -> None:
    async def prepare() -> Race[NewRun, FinishResult, FinishResult]:
        new_run, lease = await running(track)
        left, right = (finish_request(lease, answer=answer, values=answer) for answer in (b'"left"', b'"right"'))
        return Race(new_run, finishing(left), finishing(right))

    async def judge(new_run: NewRun, left: Outcome[FinishResult], right: Outcome[FinishResult]) -> str:
        assert lost(left) != lost(right)
        winner = "right" if lost(left) else "left"
        (ended,) = await track.storage.runs.ended(Scope.everything(), [new_run.run_id])
        assert ended.answer.decode() == f'"{winner}"'
        assert await track.storage.threads.values(Scope.everything(), new_run.thread_id) == ended.answer
        return winner

    assert await track.repeat(ROUNDS, prepare, judge) == {"left", "right"}


async def test_finish_and_delete(track: Track) -> None:
    async def prepare() -> Race[NewRun, FinishResult, int | None]:
        new_run, lease = await running(track)
        delete = call(lambda storage: storage.runs.delete, Scope.everything(), new_run.thread_id, new_run.run_id)
        return Race(new_run, finishing(finish_request(lease)), delete)

    async def judge(new_run: NewRun, finish: Outcome[FinishResult], delete: Outcome[int | None]) -> str:
        done(delete)
        assert await run_status(track.storage, new_run) is None
        assert await thread_status(track.storage, new_run.thread_id) == "idle"
        values = await track.storage.threads.values(Scope.everything(), new_run.thread_id)
        assert (values is None) == lost(finish)
        return "delete" if lost(finish) else "finish"

    assert await track.repeat(ROUNDS, prepare, judge) == {"delete", "finish"}


async def test_finish_and_giving_back_what_is_not_held(track: Track) -> None:
    async def prepare() -> Race[NewRun, FinishResult, HeartbeatResult]:
        new_run, lease = await running(track)
        beat = call(lambda storage: storage.workers.heartbeat, "worker", [])
        return Race(new_run, finishing(finish_request(lease)), beat)

    async def judge(new_run: NewRun, finish: Outcome[FinishResult], beat: Outcome[HeartbeatResult]) -> str:
        done(beat)
        assert await run_status(track.storage, new_run) == ("pending" if lost(finish) else "success")
        return "beat" if lost(finish) else "finish"

    assert await track.repeat(ROUNDS, prepare, judge) == {"beat", "finish"}
