"""The contract of storage: what a backend must be able to do, as whole operations.

Each operation is one transaction with its own guard; nothing rests on one writer at a time or on an order of
calls. Whatever changes the state of a run names the lease or the status it relies on, and raises `LeaseLost`
or `Conflict` when that no longer holds. A conformance suite runs on every backend.

What several processes compare goes by one clock, the backend's: methods take and return durations, in seconds unless
they say otherwise, never points in time. Those that records show (`created_at`) are for people.
"""

from pathlib import Path
from typing import Protocol

from runyard.runtime.storage.port.assistants import AssistantStorage
from runyard.runtime.storage.port.batches import BatchStorage
from runyard.runtime.storage.port.capabilities import Capabilities, Progress, SchemaState
from runyard.runtime.storage.port.checkpoints import CheckpointStorage
from runyard.runtime.storage.port.crons import CronStorage
from runyard.runtime.storage.port.deliveries import DeliveryStorage
from runyard.runtime.storage.port.events import EventStorage
from runyard.runtime.storage.port.idempotency import IdempotencyStorage
from runyard.runtime.storage.port.queue import QueueStorage
from runyard.runtime.storage.port.results import ResultStorage
from runyard.runtime.storage.port.runs import RunStorage
from runyard.runtime.storage.port.sealed import SealedStorage
from runyard.runtime.storage.port.sign_ins import SignInStorage
from runyard.runtime.storage.port.store import StoreStorage
from runyard.runtime.storage.port.threads import ThreadStorage
from runyard.runtime.storage.port.workers import WorkerStorage


class Meter(Protocol):
    """Is told what writes cost. Called from any thread."""

    def locked(self, waited: float, held: float) -> None:
        """A transaction of this process has waited so many seconds for its turn, and then kept others from writing for
        so many."""

    def log_size(self, size: int) -> None:
        """Bytes of what was written and is not yet in the database itself."""


class Storage(Protocol):
    """A backend, a part for each noun. `open` before all else, `close` last."""

    @property
    def runs(self) -> RunStorage: ...

    @property
    def batches(self) -> BatchStorage: ...

    @property
    def queue(self) -> QueueStorage: ...

    @property
    def results(self) -> ResultStorage: ...

    @property
    def workers(self) -> WorkerStorage: ...

    @property
    def threads(self) -> ThreadStorage: ...

    @property
    def assistants(self) -> AssistantStorage: ...

    @property
    def crons(self) -> CronStorage: ...

    @property
    def events(self) -> EventStorage: ...

    @property
    def checkpoints(self) -> CheckpointStorage: ...

    @property
    def deliveries(self) -> DeliveryStorage: ...

    @property
    def idempotency(self) -> IdempotencyStorage: ...

    @property
    def store(self) -> StoreStorage: ...

    @property
    def sealed(self) -> SealedStorage: ...

    @property
    def sign_ins(self) -> SignInStorage: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def served(self) -> bool:
        """Whether a server uses the database, so that no other can. Changes nothing; need not be open."""

    def schema(self) -> SchemaState:
        """How far the database's schema is, also that of a database that does not exist yet. Changes nothing; need not
        be open. Raises ConfigError for what is no database of Runyard's."""

    def copy_to(self, folder: Path, progress: Progress) -> list[str]:
        """Copies all that is kept, which may be in use, into another folder; need not be open. Returns the names of the
        files. Raises ConfigError when there is nothing to copy, a copy is not sound, or the backend makes none;
        OSError."""

    async def reach(self) -> None:
        """Before `open`, for processes of a server: returns when the database can be had, which may be started at the
        same time. Raises ConfigError when it refuses, or is still away after a minute."""

    def open(self, *, maintain: bool, encrypted: bool = ...) -> None:
        """Gets ready for use; brings the schema up to date. `maintain`: also do the backend's own housekeeping, as
        one process of a server must. `encrypted`: what is written is encrypted from now on, and the database says so
        for good. Raises ConfigError when the database cannot be used, or has a server already and can have one only, or
        says that it is encrypted and it is opened without."""

    def close(self) -> None:
        """Returns when all writes that were asked for are done. One that is asked for afterwards raises
        Unavailable."""

    async def check(self) -> None:
        """Raises Unavailable when the database does not answer."""
