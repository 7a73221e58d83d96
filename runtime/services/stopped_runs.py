"""Runs that are to end before their time: cancelled, removed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

from runyard.generated.models import Run, RunsCancel
from runyard.runtime.bus.workers import Workers
from runyard.runtime.errors import NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import CancelAction, CancelResult, RunRef
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.broker import Broker

STOP_WAIT = 5.0
"""Seconds that workers get to stop what was cancelled; then it is ended in their place."""

CANCELLED_TOGETHER = 50
"""Runs that one transaction stops: other writes must get in between."""

NOTHING_CANCELLED = (
    "No matching runs to cancel. Please verify the thread ID and run IDs are correct, "
    "and the runs haven't been deleted or completed."
)


class StoppedRuns:
    """How the service `Runs` stops runs."""

    _storage: Storage
    _broker: Broker
    _workers: Workers

    async def cancel(
        self, scope: Scope, thread_id: str, run_id: str, *, action: CancelAction, reason: str | None = None
    ) -> None:
        """Stops a run, which keeps the reason; returns when it has ended. Raises NotFound when there is nothing to
        stop."""
        location = await self._storage.runs.locate(scope, run_id)
        if location is None or location.thread_id != thread_id:
            raise NotFound("No runs found to cancel.")
        outcome = await self._cancel(scope, [RunRef(thread_id, run_id)], action, _told(reason))
        if not outcome.ended and not outcome.requested:
            raise NotFound(NOTHING_CANCELLED)
        await self._stopped([*outcome.requested])

    async def cancel_many(self, scope: Scope, request: RunsCancel, *, action: CancelAction) -> None:
        """Stops the named runs of a thread, or all that have a status, a few in each transaction; returns when they
        have ended. What is left when that is cut short is stopped by asking again."""
        met = found = False
        requested: list[str] = []
        async for runs in self._cancellable(scope, request):
            found |= bool(runs)
            outcome = await self._cancel(scope, runs, action)
            met |= bool(outcome.ended or outcome.requested)
            requested += outcome.requested
        if not found:
            raise NotFound("No runs found to cancel.")
        if not met:
            raise NotFound(NOTHING_CANCELLED)
        await self._stopped(requested)

    async def _cancellable(self, scope: Scope, request: RunsCancel) -> AsyncIterator[Sequence[RunRef]]:
        find = partial(
            self._storage.runs.cancellable,
            scope,
            thread_id=request.thread_id,
            status=request.status or "all",
            limit=CANCELLED_TOGETHER,
        )
        named = request.run_ids
        if named is not None:
            for start in range(0, len(named), CANCELLED_TOGETHER):
                yield (await find(run_ids=named[start : start + CANCELLED_TOGETHER])).runs
            return
        page = await find(run_ids=None)
        while page.runs:
            yield page.runs
            if page.after is None:
                return
            page = await find(run_ids=None, after=page.after)

    async def delete(self, scope: Scope, thread_id: str, run_id: str) -> None:
        """Removes a run, also one that is running; what it has done to the thread stays. Raises NotFound."""
        promoted = await self._storage.runs.delete(scope, thread_id, run_id)
        if promoted is None:
            raise NotFound("Run not found")
        self._broker.run_deleted(run_id)
        self._workers.wake(promoted)

    async def abandon(self, scope: Scope, run: Run) -> None:
        """The client of a run that is to end with its connection has left. Nobody waits for the end."""
        await self._cancel(scope, [RunRef(run.thread_id, run.run_id)], "interrupt")

    async def _cancel(
        self, scope: Scope, runs: Sequence[RunRef], action: CancelAction, reason: str | None = None
    ) -> CancelResult:
        """Ends what is pending and asks the rest to stop."""
        outcome = await self._storage.runs.cancel(scope, runs, action, reason)
        self._broker.announce_cancellation(outcome, action)
        return outcome

    async def _stopped(self, run_ids: Sequence[str]) -> None:
        """Returns when these runs have ended: by their workers, or, after a while, in their place."""
        if not run_ids:
            return
        waiters = [self._broker.wait_for_result(run_id, announce=False) for run_id in run_ids]
        self._broker.refresh_results(run_ids)  # some may have ended before they were waited for
        try:
            answers = await asyncio.gather(*(waiter.result(STOP_WAIT) for waiter in waiters))
        finally:
            for waiter in waiters:
                await waiter.close()
        left = [waiter.run_id for waiter, answer in zip(waiters, answers, strict=True) if answer is None]
        while left:
            ended = await self._storage.workers.end_unstopped(0.0, CANCELLED_TOGETHER, left)
            self._broker.runs_ended_unasked(ended, STOP_WAIT)
            if not ended.ended:
                return


def _told(reason: str | None) -> str | None:
    """What a run keeps of the reason for its end; clients know `taken` by how it begins."""
    return "taken: another run has taken its input" if reason == "taken" else reason
