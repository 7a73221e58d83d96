"""A worker's heartbeat, sent from a pool thread of its own: user code may block the worker's event loop for as long
as it likes, and the runs are still its. Where leases say who lives, and none of its beats gets through for as long as
that, it gives its runs up by its own clock: others may be about to take them."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from runyard.runtime.background.boot_clock import seconds_since_boot
from runyard.runtime.background.loops import BackgroundThread
from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.workers import HeartbeatResult, WorkerStorage

logger = logging.getLogger(__name__)

LAST_WAIT = 1.0
"""Seconds for which an answer is waited for behind the end of a lease."""
LATE = 0.25
"""Seconds behind the end of a wait from which on this process was stopped during it, not its beat without an answer."""


class Held(NamedTuple):
    """The leases that a worker knows of; `claiming`: a claim is under way that may bring more."""

    leases: Sequence[Lease]
    claiming: bool


class HeartbeatThread:
    """Beats every `interval` seconds until stopped.

    `held` answers the leases that the worker holds; `answered` gets each answer, and the leases that it is about. Both
    are called in the heartbeat's own thread of the process.
    """

    def __init__(
        self,
        workers: WorkerStorage,
        worker: str,
        *,
        interval: float,
        held: Callable[[], Held],
        answered: Callable[[HeartbeatResult, Sequence[Lease]], object],
        loops: Loops,
    ) -> None:
        self._workers = workers
        self._worker = worker
        self._interval = interval
        self._held = held
        self._answered = answered
        self._runner = asyncio.Runner()
        self._ends = workers.lease_ends(worker)
        """When the lease runs out, as far as the worker has been told what became of its runs."""
        self._given_up: frozenset[Lease] = frozenset()
        self._told = threading.Condition()
        # Writing fails for all at once, and soon after it succeeds again silence counts.
        self._thread = BackgroundThread(f"heartbeat of {worker}", self._beat, loops, longest_pause=interval)

    def start(self) -> None:
        """The first beat comes at once."""
        self._thread.start()

    def stop(self) -> None:
        """Returns when the last beat is done."""
        self._thread.stop()
        self._runner.close()

    def is_in_doubt(self) -> bool:
        """Whether others may have taken what the worker holds, and it has yet to hear of that. What it claims now is no
        matter: claims see to that themselves. In any thread."""
        return self._is_over() and not self._given_up.issuperset(self._held().leases)

    def wait_until_told(self, seconds: float) -> None:
        """Blocks the calling thread, for so long at the most, until the worker is in doubt no more. Gives its runs up
        if it still is: what does not answer in that time may as well never do so."""
        with self._told:
            told = self._told.wait_for(lambda: not self.is_in_doubt(), seconds)
        if not told:
            self._give_up()

    def _beat(self) -> float:
        try:
            try:
                self._runner.run(self._in_time())
            finally:
                # Behind the answer: who is not in doubt goes on, and has to know it.
                self._ends = self._workers.lease_ends(self._worker)
        except Exception:
            self._give_up()
            raise
        finally:
            with self._told:
                self._told.notify_all()
        return 0.0 if self.is_in_doubt() else self._interval  # the answer may be from before a suspension

    async def _in_time(self, *, again: bool = True) -> None:
        """A beat, for which is waited until the lease runs out. `again`: it may be made once more; on a machine that is
        always late, it is as if nobody answered."""
        ends = self._workers.lease_ends(self._worker)
        now = seconds_since_boot()
        # Where it has run out the process was stopped, or cut off, and an answer says what became of its runs.
        until = None if ends is None else max(ends, now + LAST_WAIT)
        try:
            async with asyncio.timeout(None if until is None else until - now):
                leases, claiming = self._held()
                answer = await self._workers.heartbeat(self._worker, leases, claiming=claiming)
        except (TimeoutError, Unavailable) as error:
            if again and until is not None and seconds_since_boot() > until + LATE:
                await self._in_time(again=False)
                return
            if isinstance(error, Unavailable):
                raise
            raise Unavailable(f"worker {self._worker} could not renew its lease in time") from None
        self._answered(answer, leases)

    def _is_over(self) -> bool:
        return self._ends is not None and seconds_since_boot() >= self._ends

    def _give_up(self) -> None:
        leases = self._held().leases if self._is_over() else ()
        if leases:
            if not self._given_up.issuperset(leases):
                logger.warning("worker %s: its lease has run out; it gives up %s runs", self._worker, len(leases))
            self._answered(HeartbeatResult({}, [lease.seq for lease in leases]), leases)
            self._given_up = frozenset(leases)
