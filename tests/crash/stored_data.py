"""The data that a server leaves in its directory when it ends."""

from __future__ import annotations

from collections.abc import Callable

from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.live_server import LiveServer

OpenStorage = Callable[[LiveServer], Storage]


def open_storage_of(server: LiveServer) -> Storage:
    """The storage of a server that has ended; to be closed."""
    storage = SqliteStorage(server.data / "runyard.db")
    storage.open(maintain=False)
    return storage
