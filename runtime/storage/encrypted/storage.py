"""A backend whose data are encrypted by the project's own handlers: everything that a client or a graph has given goes
through them on its way in and out. What the backend has to find, order or count by stays as it is."""

from __future__ import annotations

import contextlib
from pathlib import Path

from runyard.runtime.encryption.handler_loop import HandlerLoop
from runyard.runtime.encryption.handlers import Handlers
from runyard.runtime.encryption.sealing import Sealing
from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.encrypted.assistants import EncryptedAssistants
from runyard.runtime.storage.encrypted.batches import EncryptedBatches, EncryptedResults
from runyard.runtime.storage.encrypted.checkpoints import EncryptedCheckpoints
from runyard.runtime.storage.encrypted.codec import Codec
from runyard.runtime.storage.encrypted.crons import EncryptedCrons
from runyard.runtime.storage.encrypted.deliveries import EncryptedDeliveries
from runyard.runtime.storage.encrypted.events import EncryptedEvents
from runyard.runtime.storage.encrypted.idempotency import EncryptedIdempotency
from runyard.runtime.storage.encrypted.queue import EncryptedQueue
from runyard.runtime.storage.encrypted.runs import EncryptedRuns
from runyard.runtime.storage.encrypted.store import EncryptedStore
from runyard.runtime.storage.encrypted.threads import EncryptedThreads
from runyard.runtime.storage.encrypted.workers import EncryptedWorkers
from runyard.runtime.storage.port.capabilities import Capabilities, Progress
from runyard.runtime.storage.port.storage import Storage


def encrypted(storage: Storage, handlers: Handlers | None) -> Storage:
    """The storage behind the handlers; itself where there are none."""
    return storage if handlers is None else EncryptedStorage(storage, handlers)


class EncryptedStorage:
    """See `Storage`."""

    def __init__(self, inner: Storage, handlers: Handlers) -> None:
        self._inner = inner
        self.handlers = handlers
        self.loop = HandlerLoop()
        """Where they run, while storage is open."""
        self._codec = codec = Codec(Sealing(handlers), self.loop, inner.sealed)
        self.runs = EncryptedRuns(inner.runs, codec)
        self.batches = EncryptedBatches(inner.batches, codec)
        self.queue = EncryptedQueue(inner.queue, codec)
        self.results = EncryptedResults(inner.results, codec)
        self.workers = EncryptedWorkers(inner.workers, codec)
        self.checkpoints = EncryptedCheckpoints(inner.checkpoints, codec)
        self.threads = EncryptedThreads(inner.threads, codec, self.checkpoints)
        self.assistants = EncryptedAssistants(inner.assistants, codec)
        self.crons = EncryptedCrons(inner.crons, codec)
        self.events = EncryptedEvents(inner.events, codec)
        self.deliveries = EncryptedDeliveries(inner.deliveries, codec)
        self.idempotency = EncryptedIdempotency(inner.idempotency, codec)
        self.store = EncryptedStore(inner.store, codec)
        self.sealed = inner.sealed
        self.sign_ins = inner.sign_ins  # sealed with what only a browser has
        self.served = inner.served
        self.schema = inner.schema
        self.check = inner.check

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def copy_to(self, folder: Path, progress: Progress) -> list[str]:
        return self._inner.copy_to(folder, progress)

    async def reach(self) -> None:
        await self._inner.reach()

    def open(self, *, maintain: bool, encrypted: bool = True) -> None:
        self._inner.open(maintain=maintain, encrypted=encrypted)
        self.loop.start()

    def close(self) -> None:
        with contextlib.suppress(Unavailable):  # it was never opened
            self.loop.run_blocking(self._settle())
        self._inner.close()
        self.loop.stop()

    async def _settle(self) -> None:
        await self.checkpoints.settle()
        await self._codec.settle()
