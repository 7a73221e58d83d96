"""Ends of runs that cannot be recorded."""

import asyncio
import contextlib
import logging

from runyard.runtime.bus.messages import Ended, RunsReady, WebhookDue
from runyard.runtime.bus.port import WorkerBus
from runyard.runtime.errors import LeaseLost, RunyardError
from runyard.runtime.graphs.user_errors import describe_error, one_line
from runyard.runtime.lifecycle import error_result
from runyard.runtime.storage.port.queue import LeasedRun
from runyard.runtime.storage.port.runs import Interest
from runyard.runtime.storage.port.workers import ReapResult, WorkerStorage

logger = logging.getLogger(__name__)

ATTEMPT_PAUSE = 1.0
"""Seconds between an end that could not be recorded and another attempt at the run."""


async def give_back(
    workers: WorkerStorage,
    leased: LeasedRun,
    error: Exception,
    bus: WorkerBus,
    max_attempts: int,
    leaving: asyncio.Event,
) -> None:
    """Gives a run back whose end could not be recorded for that error, for another attempt if it has one left, and
    tells the API process what became of it.

    When that cannot be written either, the run stays held until it can be (on a full disk, nothing is executed over
    and over), or until the worker is `leaving`: who reaps it sees to the run.
    """
    lease, said = leased.lease, describe_error(error)
    logger.error(
        "run %s: its end could not be recorded: %s",
        lease.run_id,
        one_line(error),
        exc_info=None if isinstance(error, RunyardError) else error,
    )
    answer = error_result(said["error"], said["message"])
    taken: ReapResult | None = None
    while taken is None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(leaving.wait(), ATTEMPT_PAUSE)
        try:
            taken = await workers.fail_attempt(lease, answer, max_attempts=max_attempts)
        except LeaseLost:
            return
        except Exception as refusal:  # noqa: BLE001 - as the first time: it must not be repeated without end
            logger.error("run %s: it could not be given back: %s", lease.run_id, one_line(refusal))
            if leaving.is_set():
                return
    if taken.ended:
        asked = leased.interest != Interest.NONE
        bus.send(Ended(lease.run_id, lease.thread_id, "error", None, 0, leased.waited, 0.0, asked))
    if ready := taken.requeued + taken.promoted:
        bus.send(RunsReady(ready))
    if taken.webhook:
        bus.send(WebhookDue())
