"""Handles on one schema of Postgres, as that many processes would have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runyard.runtime.storage.postgres.database.database import CONNECTIONS
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage

from .postgres_server import address, schema_of
from .prepared import clear_schema, lay_schema

Handle = Callable[..., PostgresStorage]
"""Makes one. `lease`: how long its leases are, in seconds."""


class PostgresHandles:
    """Those on the schema that belongs to a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made: list[PostgresStorage] = []

    def make(self, *, lease: float = 30.0, connections: int = CONNECTIONS["main"]) -> PostgresStorage:
        """One that is not open yet."""
        target = Target.parse(address(), schema_of(self._directory))
        self._made.append(PostgresStorage(target, lease_seconds=lease, connections=connections))
        return self._made[-1]

    def open(self, *, lease: float = 30.0, connections: int = CONNECTIONS["main"]) -> PostgresStorage:
        """One that is open."""
        storage = self.make(lease=lease, connections=connections)
        storage.open(maintain=False)
        return storage

    def close(self) -> None:
        """All of them."""
        for storage in self._made:
            storage.close()


@contextmanager
def empty_schema(directory: Path) -> Iterator[PostgresHandles]:
    """Handles on a schema that is empty, and goes with them."""
    lay_schema(directory)
    handles = PostgresHandles(directory)
    yield handles
    handles.close()
    clear_schema(directory)
