"""Which runs a worker takes on, and when."""

import asyncio
from collections.abc import Callable

from runyard.runtime.background.boot_clock import seconds_since_boot
from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.config.settings import Settings
from runyard.runtime.execution.admission import Admission
from runyard.runtime.execution.heartbeat import Held
from runyard.runtime.execution.slots import LentSlots, RunSlot
from runyard.runtime.storage.port.queue import Lease, LeasedRun, QueueStorage
from runyard.runtime.storage.port.runs import Lane

POLL_INTERVAL = 1.0
"""Seconds after which a worker looks for runs unasked, should a wake-up have been lost."""
SOLO_IDLE_TIMEOUT = 3.0
"""Seconds for which a solo worker waits for another run before it ends."""


class Claims:
    """The leases of a worker, and how it gets more.

    A solo worker takes one run, or one group of runs, of the solo lane at a time: runs that were there at a crash.
    """

    def __init__(self, worker: str, settings: Settings, queue: QueueStorage, *, solo: bool, loops: Loops) -> None:
        self._worker = worker
        self._queue = queue
        self._solo = solo
        self._lease_seconds = settings.lease_seconds
        self._admission = Admission(1 if solo else settings.concurrency)
        self._leases: dict[str, Lease] = {}
        self._slots = LentSlots(self._admission.ceiling, self._leases.__contains__, self._waits_changed)
        self._claiming = 0
        self._interactive = 0
        self._more = False
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loops = loops
        self._rounds: BackgroundLoop | None = None
        self.ended = asyncio.Event()
        """Nothing more is to be claimed."""

    def wake(self) -> None:
        """There may be something to claim."""
        self._wake.set()

    def end(self) -> None:
        """Nothing more is to be claimed."""
        self.ended.set()
        self._wake.set()
        if self._rounds is not None:
            self._rounds.wake()

    def held(self) -> Held:
        """All leases. In any thread."""
        claiming = self._claiming > 0  # looked at first: what is claimed after that is not long ago
        return Held(list(self._leases.values()), claiming)

    def holds(self, lease: Lease) -> bool:
        """Whether that is the lease by which its run is executed here."""
        return self._leases.get(lease.run_id) == lease

    async def claim_until_ended(self, start: Callable[[LeasedRun], None], load: Callable[[int, int], None]) -> None:
        """Hands what it claims to `start`, and tells `load` after each claim how many runs are held, and for how many
        more there is room."""
        idle_since = self._loop.time()

        async def claim_next() -> float | None:
            nonlocal idle_since
            if self.ended.is_set():
                return None
            await self._woken()
            self._wake.clear()  # before the claim: a wake-up during it must not be lost
            if await self._claim(start, load) or self._leases:
                idle_since = self._loop.time()
            elif self._solo and self._loop.time() - idle_since > SOLO_IDLE_TIMEOUT:
                return None
            return 0.0

        self._rounds = BackgroundLoop(f"claims of {self._worker}", claim_next, self._loops, longest_pause=POLL_INTERVAL)
        await self._rounds.run()

    async def _woken(self) -> None:
        timer = self._loop.call_later(POLL_INTERVAL, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    async def _claim(self, start: Callable[[LeasedRun], None], load: Callable[[int, int], None]) -> bool:
        limit, interactive = self._admission.room()
        if self.ended.is_set() or interactive <= 0 or (self._solo and self._leases):
            return False
        self._claiming += 1
        asked = seconds_since_boot()
        try:
            claimed = await self._queue.claim(self._worker, limit=limit, interactive=interactive, solo=self._solo)
            if seconds_since_boot() - asked >= self._lease_seconds:  # others may have taken them since
                claimed = [leased for leased in claimed if await self._queue.holds(leased.lease)]
            for leased in claimed:
                self._leases[leased.lease.run_id] = leased.lease
        finally:
            self._claiming -= 1
        for leased in claimed:
            self._interactive += leased.lane <= Lane.INTERACTIVE
            start(leased)
        self._changed()
        # Full claims hint at more: look again as soon as there is room.
        self._more = len(claimed) >= max(1, limit) or limit == 0
        load(len(self._leases), self._admission.room()[0])
        if claimed and self._more and self._admission.worth_claiming():
            self._wake.set()
        return bool(claimed)

    def slot(self, leased: LeasedRun) -> RunSlot:
        """The place of a run that is held."""
        return RunSlot(self._slots, leased.lease.run_id, interactive=leased.lane <= Lane.INTERACTIVE)

    def _changed(self) -> None:
        waiting, interactive = self._slots.count()
        self._admission.changed(len(self._leases) - waiting, self._interactive - interactive)

    def _waits_changed(self) -> None:
        limit, _ = self._admission.room()
        self._changed()
        if limit == 0:  # what the run waits for may have been refused for want of room
            self._wake.set()

    def done(self, leased: LeasedRun) -> None:
        """A run is over for this worker; there may be room for another."""
        lease = leased.lease
        self._interactive -= leased.lane <= Lane.INTERACTIVE
        if self._leases.get(lease.run_id) == lease:
            del self._leases[lease.run_id]
            self._slots.end(lease.run_id)
            self._changed()
        if self.ended.is_set() or (self._more and self._admission.worth_claiming()):
            self._wake.set()
