"""LangGraph's store on SQLite, imported without the libraries that only vectors need."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Literal

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.private_files import make_private
from runyard.runtime.storage.sqlite.process_lock import alone
from runyard.runtime.storage.sqlite.without import without

with without("numpy"):  # for vectors, of which this store has none
    there = "sqlite_vec" in sys.modules
    from langgraph.store.sqlite import SqliteStore

    if not there:
        del sys.modules["sqlite_vec"]  # a project that imports it itself gets all of it


def open_store(path: Path, sync: Literal["normal", "full"]) -> SqliteStore:
    """The store in the file, which is made if need be. Raises ConfigError."""
    try:
        make_private(path)
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        store = SqliteStore(connection)
        with alone(path.with_suffix(".lock")):  # processes that start together would race to create its tables
            # Who reads (a backup, another worker) and who writes do not wait for each other then.
            connection.execute("pragma journal_mode = wal")
            connection.execute(f"pragma synchronous = {sync}")
            store.setup()
    except (sqlite3.Error, OSError) as error:
        raise ConfigError(
            f"{path}: cannot be opened as the store ({error}); "
            "choose another directory with --data, or move the file away"
        ) from error
    return store
