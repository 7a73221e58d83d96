"""Runs that outlive their time, or a request to stop them, although their worker should have stopped them."""

from runyard.runtime.lifecycle import timed_out
from runyard.runtime.maintenance.duty import MORE_TO_DO, RECHECK_INTERVAL, ROWS_PER_TRANSACTION
from runyard.runtime.services.stopped_runs import STOP_WAIT
from runyard.runtime.storage.port.workers import WorkerStorage
from runyard.runtime.streams.broker import Broker

GRACE = 3.0
"""Seconds that a worker gets to stop an overdue run itself: it keeps what the run had reached."""


class OverdueRuns:
    """Ends overdue runs whose worker cannot: code blocks its event loop, or does not let itself be cancelled.

    What such a run does from then on is refused, since its lease is gone.
    """

    def __init__(self, storage: WorkerStorage, broker: Broker, run_timeout: float) -> None:
        self._storage = storage
        self._broker = broker
        self._run_timeout = run_timeout

    async def perform(self) -> float:
        """At once again when there may be more."""
        seconds = self._run_timeout + GRACE
        result = await self._storage.end_overdue(seconds, timed_out(self._run_timeout), ROWS_PER_TRANSACTION)
        self._broker.runs_ended_unasked(result, seconds)
        return MORE_TO_DO if result.ended else RECHECK_INTERVAL


class UnstoppedRuns:
    """Ends cancelled runs whose worker does not, where no request waits for their end: the client has left, another
    run takes the thread, or the server was started anew meanwhile."""

    def __init__(self, storage: WorkerStorage, broker: Broker) -> None:
        self._storage = storage
        self._broker = broker

    async def perform(self) -> float:
        """At once again when there may be more."""
        result = await self._storage.end_unstopped(STOP_WAIT, ROWS_PER_TRANSACTION)
        self._broker.runs_ended_unasked(result, STOP_WAIT)
        return MORE_TO_DO if result.ended else RECHECK_INTERVAL
