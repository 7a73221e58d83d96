"""Runs that outlive their time although their worker should have stopped them."""

from runyard.runtime.bus.workers import Workers
from runyard.runtime.lifecycle import timed_out
from runyard.runtime.maintenance.duty import MORE_TO_DO, RECHECK_INTERVAL, ROWS_PER_TRANSACTION
from runyard.runtime.storage.port.workers import WorkerStorage
from runyard.runtime.streams.broker import Broker

GRACE = 3.0
"""Seconds that a worker gets to stop an overdue run itself: it keeps what the run had reached."""


class OverdueRuns:
    """Ends overdue runs whose worker cannot: code blocks its event loop, or does not let itself be cancelled.

    What such a run does from then on is refused, since its lease is gone.
    """

    def __init__(self, storage: WorkerStorage, workers: Workers, broker: Broker, run_timeout: float) -> None:
        self._storage = storage
        self._workers = workers
        self._broker = broker
        self._run_timeout = run_timeout

    async def perform(self) -> float:
        """At once again when there may be more."""
        seconds = self._run_timeout + GRACE
        result = await self._storage.end_overdue(seconds, timed_out(self._run_timeout), ROWS_PER_TRANSACTION)
        for run_id, thread_id in result.ended:
            self._broker.run_timed_out(run_id, thread_id, seconds)
        self._workers.wake(result.promoted)
        return MORE_TO_DO if result.ended else RECHECK_INTERVAL
