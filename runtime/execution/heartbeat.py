"""A worker's heartbeat, sent from a pool thread of its own: user code may block the worker's event loop for as long
as it likes, and the runs are still its."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence

from runyard.runtime.errors import RunyardError
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.workers import HeartbeatResult, WorkerStorage

logger = logging.getLogger(__name__)


class HeartbeatThread:
    """Beats every `interval` seconds until stopped.

    `held` answers the leases that the worker holds, or None when a claim is under way and nobody can say;
    `answered` gets each answer. Both are called in the heartbeat's own thread of the process.
    """

    def __init__(
        self,
        workers: WorkerStorage,
        worker: str,
        pid: int,
        *,
        interval: float,
        held: Callable[[], Sequence[Lease] | None],
        answered: Callable[[HeartbeatResult], object],
    ) -> None:
        self._workers = workers
        self._worker = worker
        self._pid = pid
        self._interval = interval
        self._held = held
        self._answered = answered
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """The first beat comes after one interval."""
        self._thread.start()

    def stop(self) -> None:
        """Returns when the last beat is done."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._beat_until_stopped())

    async def _beat_until_stopped(self) -> None:
        while not self._stopped.wait(self._interval):
            try:
                self._answered(await self._workers.heartbeat(self._worker, self._pid, self._held()))
            except RunyardError as error:
                logger.warning("worker %s: a heartbeat failed: %s", self._worker, error.detail)
