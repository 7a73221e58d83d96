"""From settings to a backend."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from runyard.runtime.background.rounds import Loops
from runyard.runtime.config.settings import OWN_FILE, Settings
from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.port.storage import Meter, Storage
from runyard.runtime.storage.sqlite.storage import SqliteStorage

if TYPE_CHECKING:
    from runyard.runtime.storage.postgres.database.target import Target

DATABASE = "runyard.db"


def make_storage(settings: Settings, meter: Meter | None = None, loops: Loops | None = None) -> Storage:
    """The backend that the settings name, not opened yet. `meter` is told what writes cost, and `loops` of what has to
    go on in the background. Raises ConfigError when the backend cannot be had."""
    target = target_of(settings)
    if target is not None:
        return _postgres(settings, target, meter, loops)
    return SqliteStorage(settings.data_dir / DATABASE, sync=settings.sync, meter=meter, loops=loops)


def modules_of(settings: Settings) -> Sequence[str]:
    """The modules of the backend that are imported only where it is used."""
    return () if settings.database is None else ("runyard.runtime.storage.postgres.storage",)


def storage_in(data_dir: Path) -> Storage:
    """What a data directory holds, not opened yet; for those who know nothing of the server that uses it."""
    return SqliteStorage(data_dir / DATABASE)


def place_of(settings: Settings) -> str:
    """Where everything is kept, for people. Raises ConfigError as `make_storage` does."""
    return str(target_of(settings) or settings.data_dir)


def _postgres(settings: Settings, target: Target, meter: Meter | None, loops: Loops | None) -> Storage:
    from runyard.runtime.storage.postgres.storage import PostgresStorage

    return PostgresStorage(
        target,
        lease_seconds=settings.lease_seconds,
        connections=settings.database_connections,
        timeout=settings.database_timeout,
        meter=meter,
        loops=loops,
    )


def target_of(settings: Settings) -> Target | None:
    """The database that several servers may share; None: there is only a file. Raises ConfigError as `make_storage`
    does."""
    if settings.database is None:
        return None
    if find_spec("psycopg") is None:
        raise ConfigError(
            "the database is a Postgres, and its client is not installed: pip install 'runyard[postgres]', or give"
            f" --database {OWN_FILE} to keep everything in a file of the data directory"
        )
    # Late, as above: the client is an extra.
    from runyard.runtime.storage.postgres.database.target import Target

    return Target.parse(settings.database, settings.database_schema)
