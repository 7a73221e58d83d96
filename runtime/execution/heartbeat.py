"""A worker's heartbeat, sent from a pool thread of its own: user code may block the worker's event loop for as long
as it likes, and the runs are still its."""

import asyncio
from collections.abc import Callable, Sequence

from runyard.runtime.background.loops import BackgroundThread
from runyard.runtime.background.rounds import Loops
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.workers import HeartbeatResult, WorkerStorage


class HeartbeatThread:
    """Beats every `interval` seconds until stopped.

    `held` answers the leases that the worker holds, or None when a claim is under way and nobody can say;
    `answered` gets each answer. Both are called in the heartbeat's own thread of the process.
    """

    def __init__(
        self,
        workers: WorkerStorage,
        worker: str,
        *,
        interval: float,
        held: Callable[[], Sequence[Lease] | None],
        answered: Callable[[HeartbeatResult], object],
        loops: Loops,
    ) -> None:
        self._workers = workers
        self._worker = worker
        self._interval = interval
        self._held = held
        self._answered = answered
        self._runner = asyncio.Runner()
        # Writing fails for all at once, and soon after it succeeds again silence counts.
        self._thread = BackgroundThread(f"heartbeat of {worker}", self._beat, loops, longest_pause=interval)

    def start(self) -> None:
        """The first beat comes at once."""
        self._thread.start()

    def stop(self) -> None:
        """Returns when the last beat is done."""
        self._thread.stop()
        self._runner.close()

    def _beat(self) -> float:
        self._answered(self._runner.run(self._workers.heartbeat(self._worker, self._held())))
        return self._interval
