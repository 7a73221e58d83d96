"""Asks storage how runs have ended that are followed: for ends whose message was lost, or came without the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.port import ServerBus
from runyard.runtime.bus.workers import Workers
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import RunResult
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.outages import looking
from runyard.runtime.streams.subscriptions import RunSubscription, Subscription
from runyard.runtime.streams.thread_streams import ThreadStreams

RECHECK_INTERVAL = 2.0
"""Seconds between questions to storage about what is followed."""
POLL_INTERVAL = 1.0
"""The same while other server processes cannot tell of what their workers do; stored events are then asked for, too."""

RECHECKED_TOGETHER = 100
"""Runs that are asked about in one read."""

_LOOKED_AT = "followed runs"


class Recheck:
    """Looks at the subscriptions of this process from time to time, and at some when it is asked to."""

    def __init__(
        self,
        storage: Storage,
        bus: ServerBus,
        workers: Workers,
        threads: ThreadStreams,
        subscriptions: dict[str, list[Subscription]],
        loops: Loops,
    ) -> None:
        """`subscriptions`: those to runs, by run; who is told of the end of theirs is taken out."""
        self._storage = storage
        self._bus = bus
        self._workers = workers
        self._threads = threads
        self._subscriptions = subscriptions
        self._loop = BackgroundLoop("looking at followed runs", self._look_again, loops)
        self._reading: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Looks from now on."""
        self._loop.start()

    async def stop(self) -> None:
        """Looks no more."""
        await self._loop.stop()
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    def wake(self) -> None:
        """Looks now."""
        self._loop.wake()

    def read(self, run_ids: Sequence[str], *, told: bool) -> None:
        """Delivers the ends of those runs that have ended. `told`: a worker said that they have, so all that it had to
        say of them is there."""
        task = asyncio.create_task(looking(self._read(run_ids, told=told), _LOOKED_AT), name="read results")
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def _read(self, run_ids: Sequence[str], *, told: bool) -> None:
        late: list[RunResult] = []
        for result in await self._storage.runs.ended(Scope.everything(), run_ids):
            may_be_cut = any(each.may_be_cut for each in self._subscriptions.get(result.run_id, ()))
            if told or not result.started or not may_be_cut:
                self.deliver(result)
            else:
                late.append(result)
        if late:
            await self._workers.flushed()
            for result in late:
                self.deliver(result, untold=True)  # where the worker has said nothing by now either

    def deliver(self, result: RunResult, *, untold: bool = False) -> None:
        """Ends what follows the run. `untold`: its worker has said nothing of the end."""
        subscriptions = self._subscriptions.pop(result.run_id, ())
        for subscription in subscriptions:
            subscription.end(result, untold=untold)
        if subscriptions:
            announce = any(subscription.announced for subscription in subscriptions)
            self._bus.unfollow_run(result.run_id, announce=announce)

    async def _look_again(self) -> float:
        interval = POLL_INTERVAL if self._bus.polls else RECHECK_INTERVAL
        before = asyncio.get_running_loop().time() - interval
        followed = [
            run_id
            for run_id, subscriptions in self._subscriptions.items()
            if any(each.run_exists and each.since < before for each in subscriptions)
        ]
        self._threads.check()
        for start in range(0, len(followed), RECHECKED_TOGETHER):
            await looking(self._read(followed[start : start + RECHECKED_TOGETHER], told=False), _LOOKED_AT)
        if self._bus.polls:
            await looking(self._read_stored(), _LOOKED_AT)
        return interval

    async def _read_stored(self) -> None:
        """Finds events that are stored of which nobody tells."""
        for run_id, subscriptions in list(self._subscriptions.items()):
            streams = [each for each in subscriptions if isinstance(each, RunSubscription) and each.resumable]
            if streams and streams[0].run_exists:
                last = await self._storage.events.last(run_id)
                for stream in streams:
                    stream.stored(last)
        await self._threads.read_stored()
