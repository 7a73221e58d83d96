"""Keeps a process without encryption from writing where encryption has begun.

It begins where no lease of such a process holds. One that was suspended beyond its own looks before each write whether
it has, until its lease is renewed; while a lease holds, nothing is looked at.
"""

from __future__ import annotations

import logging

from runyard.runtime.background.boot_clock import seconds_since_boot
from runyard.runtime.errors import StorageUnavailable
from runyard.runtime.storage.postgres.database.connection import Connection, lock_of
from runyard.runtime.storage.postgres.database.target import Target

logger = logging.getLogger(__name__)

REFUSAL = (
    "servers with encryption use the database now, and this one has none: it writes nothing any more; start it with "
    "the project's encryption"
)


def encryption_lock(target: Target) -> int:
    """Held while encryption begins, and shared by what must not be overlooked then."""
    return lock_of(f"runyard encryption {target.schema or ''}")


class PlainFence:
    """That of one process. It is open until the process is said to be `plain`."""

    def __init__(self, target: Target) -> None:
        self._lock = encryption_lock(target)
        self._until = float("inf")
        self.refusal: str | None = None
        """Why this process writes nothing any more."""

    def plain(self, until: float) -> None:
        """The process writes what is not encrypted, and until that moment, by `seconds_since_boot`, it has a lease."""
        self._until = until

    @property
    def closed(self) -> bool:
        """Whether writes have to `pass_through`."""
        return seconds_since_boot() >= self._until

    def pass_through(self, connection: Connection) -> None:
        """In a transaction, before it writes: until its end encryption does not begin. Raises StorageUnavailable where
        it has begun."""
        connection.execute("select pg_advisory_xact_lock_shared(%s)", (self._lock,))
        if connection.execute("select 1 from encryption").fetchone() is not None:
            self.refuse()

    def refuse(self) -> None:
        """Encryption has begun. Raises StorageUnavailable."""
        if self.refusal is None:
            logger.critical("%s", REFUSAL)
        self.refusal = REFUSAL
        raise StorageUnavailable(REFUSAL)
