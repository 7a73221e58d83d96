"""From settings to a backend."""

import importlib
from pathlib import Path

from runyard.runtime.background.rounds import Loops
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.port.storage import Meter, Storage
from runyard.runtime.storage.sqlite import server_lock
from runyard.runtime.storage.sqlite.backup import Progress, copy_databases
from runyard.runtime.storage.sqlite.migrations import SchemaState, read_schema_state
from runyard.runtime.storage.sqlite.storage import STORE, SqliteStorage

DATABASE = "runyard.db"


def make_storage(settings: Settings, meter: Meter | None = None, loops: Loops | None = None) -> Storage:
    """The backend that the settings name, not opened yet. `meter` is told what writes cost, and `loops` of what has to
    go on in the background."""
    return SqliteStorage(settings.data_dir / DATABASE, sync=settings.sync, meter=meter, loops=loops)


def preload() -> None:
    """Imports what a process that runs graphs will need of backends beyond this module."""
    importlib.import_module("runyard.runtime.storage.sqlite.store_library")


def has_server(settings: Settings) -> bool:
    """Whether a server uses the database, and there can be no other. Changes nothing."""
    return server_lock.has_server(settings.data_dir)


def schema_state(settings: Settings) -> SchemaState:
    """How far the database's schema is. Changes nothing. Raises ConfigError for what is no database of Runyard's."""
    return read_schema_state(settings.data_dir / DATABASE)


def copy_data(data_dir: Path, folder: Path, progress: Progress) -> list[str]:
    """Copies all that is kept in a data directory, which may be in use, into another folder. Returns the names of the
    files. Raises ConfigError when there is nothing to copy, or a copy is not sound; OSError."""
    sources = [path for path in (data_dir / DATABASE, data_dir / STORE) if path.exists()]
    if not sources:
        raise ConfigError(f"{data_dir}: there is no database of Runyard's; name the data directory with --data")
    copy_databases(sources, folder, progress)
    return [source.name for source in sources]
