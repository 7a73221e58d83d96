"""Workers that have ended: their runs are taken back."""

from __future__ import annotations

import logging
from typing import NamedTuple

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.workers import Workers
from runyard.runtime.config.settings import Settings
from runyard.runtime.processes.suspects import GROUPS
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.broker import Broker

logger = logging.getLogger(__name__)

IDLE = 3600.0


class _Death(NamedTuple):
    """See `DeadWorkers.add`."""

    crashed: bool
    own: bool
    surely: bool


class DeadWorkers:
    """Takes the runs of each back, however often that is refused: the disk may be full, the database locked."""

    def __init__(self, settings: Settings, storage: Storage, broker: Broker, workers: Workers, loops: Loops) -> None:
        self._max_attempts = settings.max_attempts
        self._storage = storage
        self._broker = broker
        self._workers = workers
        self._waiting: dict[str, _Death] = {}
        self._loop = BackgroundLoop("taking back the runs of dead workers", self._take_back, loops)

    def start(self) -> None:
        """Begins to work off what is added."""
        self._loop.start()

    async def stop(self) -> None:
        """What is left is taken back by the next server."""
        await self._loop.stop()

    def add(self, name: str, *, crashed: bool = True, own: bool = False, surely: bool = False) -> None:
        """A worker has ended, `surely` if somebody knows of its process. `own`: as this server does of its own, and
        what ended it has ended nothing else, for the server lives. `crashed`: perhaps one of its runs is to blame."""
        self._workers.dropped(name)
        self._waiting.setdefault(name, _Death(crashed, own, surely or own))
        self._loop.wake()

    async def take_back_all(self) -> None:
        """Takes back what is waiting. Raises Unavailable when that is refused."""
        for name, death in list(self._waiting.items()):
            await self._reap(name, death)
            self._waiting.pop(name, None)

    async def _take_back(self) -> float:
        await self.take_back_all()
        return IDLE

    async def _reap(self, name: str, death: _Death) -> None:
        reaped = await self._storage.workers.reap(
            name,
            max_attempts=self._max_attempts,
            crashed=death.crashed,
            groups=GROUPS if death.own else 0,
            unless_alive=not death.surely,
        )
        if death.surely and not death.own:
            await self._storage.workers.evict(name)  # nobody need wait for its lease
        if death.crashed and (reaped.requeued or reaped.solo or reaped.ended):
            logger.warning(
                "worker %s died: %s runs go back to the queue, %s of them to processes of their own, %s are ended",
                name,
                reaped.requeued + reaped.solo,
                reaped.solo,
                len(reaped.ended),
            )
        self._workers.wake(reaped.requeued + reaped.promoted)
        self._broker.runs_ended(reaped.ended)
        if reaped.webhook:
            self._workers.webhook_due()
