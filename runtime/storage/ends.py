"""From what a user names to the ends of an import."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from runyard.runtime.config.settings import names_postgres
from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.port.moving import Source, Target
from runyard.runtime.storage.sqlite.moving.source import SqliteSource
from runyard.runtime.storage.sqlite.moving.target import SqliteTarget

if TYPE_CHECKING:
    from runyard.runtime.storage.postgres.database.target import Target as Place


def make_ends(source: str, target: str, schema: str | None) -> tuple[Source, Target]:
    """One of both is a data directory, the other a connection string, in which `schema` names a schema. Raises
    ConfigError."""
    if names_postgres(source) == names_postgres(target):
        raise ConfigError(
            "one of --from and --to is a data directory, and the other the address of a Postgres, such as "
            "postgresql://user@host/name; `runyard backup` copies a data directory, pg_dump a database"
        )
    if names_postgres(source):
        from runyard.runtime.storage.postgres.moving.source import PostgresSource

        return PostgresSource(_place(source, schema)), SqliteTarget(_folder(target))
    place = _place(target, schema)
    from runyard.runtime.storage.postgres.moving.target import PostgresTarget

    return SqliteSource(_folder(source)), PostgresTarget(place)


def _folder(name: str) -> Path:
    return Path(name).expanduser()


def _place(database: str, schema: str | None) -> Place:
    if find_spec("psycopg") is None:
        raise ConfigError("the client of Postgres is not installed: pip install 'runyard[postgres]'")
    # Late, as above: the client is an extra.
    from runyard.runtime.storage.postgres.database.target import Target

    return Target.parse(database, schema)
