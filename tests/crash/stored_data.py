"""The data that a server leaves in its directory when it ends."""

from __future__ import annotations

from collections.abc import Callable

from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.live_server import LiveServer
from tests.storage.postgres_server import address, schema_of

OpenStorage = Callable[[LiveServer], Storage]


def open_storage_of(server: LiveServer) -> Storage:
    """The storage of a server that has ended; to be closed."""
    storage: Storage = SqliteStorage(server.data / "runyard.db")
    if server.backend == "postgres":
        storage = PostgresStorage(Target.parse(address(), schema_of(server.data)))
    storage.open(maintain=False)
    return storage
