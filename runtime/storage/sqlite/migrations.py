"""The schema, as numbered SQL files that are applied in order, each once.

The numbers may have gaps. The database says which was the latest, and which is the earliest that a server must know to
use it: so a server of the version before can be started again after an upgrade, for as long as migrations only expand.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.port.capabilities import SchemaState
from runyard.runtime.storage.sqlite.without import without

with without("numpy", "pandas"):  # for data frames, which nobody hands to it here
    import sqlite_utils

OLDEST_READER = 10
"""The earliest schema whose servers can use a database of the present one. Raised by a migration that takes something
away, or that earlier servers would misunderstand; one minor version at least after what it takes away was last used."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database is to have.

    name: what the database calls its set of migrations. folder: where their files are. oldest_reader: the earliest of
    them that a server must know to use the database as it is after the latest.
    """

    name: str
    folder: str
    oldest_reader: int


RUNYARD = Schema("runyard", "schema", OLDEST_READER)
STORE = Schema("store", "store_schema", 1)


def migrate(connection: sqlite3.Connection, schema: Schema = RUNYARD) -> None:
    """Applies the migrations that the database lacks. Raises ConfigError when it is too new for this version."""
    refusal = _refusal(connection, schema)
    if refusal is not None:
        raise ConfigError(refusal)
    numbered = sqlite_utils.Migrations(schema.name)
    for name, file in _files(schema):
        numbered(name=name)(_apply(file))
    numbered.apply(sqlite_utils.Database(connection))
    stored = _stored_version(connection) or (0, 0)
    reached = max(stored[0], _known_version(schema)), max(stored[1], schema.oldest_reader)
    if reached != stored:
        with connection:
            connection.execute("delete from schema_version")
            connection.execute("insert into schema_version (version, oldest_reader) values (?, ?)", reached)


def _known_version(schema: Schema) -> int:
    return max(int(name[:4]) for name, _ in _files(schema))


def _stored_version(connection: sqlite3.Connection) -> tuple[int, int] | None:
    """The number of the latest migration, and of the earliest that must be known; None for what says nothing of it."""
    if not connection.execute("select 1 from sqlite_schema where name = 'schema_version'").fetchone():
        return None
    version: tuple[int, int] | None = connection.execute("select version, oldest_reader from schema_version").fetchone()
    return version


def _refusal(connection: sqlite3.Connection, schema: Schema) -> str | None:
    stored, known = _stored_version(connection), _known_version(schema)
    if stored is None or known >= stored[1]:
        return None
    return (
        f"its database has version {stored[0]} of the schema, which needs a server that knows version {stored[1]} at "
        f"least; this one (Runyard {metadata.version('runyard')}) knows {known}. Install a newer version of Runyard"
    )


def read_schema_state(path: Path) -> SchemaState:
    """The state of the main database at `path`, which is only read; of one that does not exist, too.

    Raises ConfigError for a file that is no database.
    """
    known = [name for name, _ in _files(RUNYARD)]
    if not path.exists():
        return SchemaState([], known, [])
    query = "select name from _sqlite_migrations where migration_set = ? order by name"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            applied = [name for (name,) in connection.execute(query, (RUNYARD.name,))]
            refusal = _refusal(connection, RUNYARD)
    except sqlite3.Error as error:
        raise ConfigError(f"{path}: is no database of Runyard's ({error}); move it away, or use --data") from error
    return SchemaState(
        applied,
        [name for name in known if name not in applied],
        [name for name in applied if name not in known],
        refusal,
    )


def read_refusal(path: Path, schema: Schema) -> str | None:
    """Why the database at `path`, which is only read and need not exist, cannot be used; None: it can.

    Raises ConfigError for a file that is no database.
    """
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return _refusal(connection, schema)
    except sqlite3.Error as error:
        raise ConfigError(f"{path}: is no database of Runyard's ({error}); move it away, or use --data") from error


def missing_of(path: Path, schema: Schema) -> list[str]:
    """The migrations that the database at `path`, which is only read, lacks. Raises ConfigError as `read_refusal`."""
    known = [name for name, _ in _files(schema)]
    query = "select name from _sqlite_migrations where migration_set = ?"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            if not connection.execute("select 1 from sqlite_schema where name = '_sqlite_migrations'").fetchone():
                return known
            applied = {name for (name,) in connection.execute(query, (schema.name,))}
    except sqlite3.Error as error:
        raise ConfigError(f"{path}: is no database of Runyard's ({error}); move it away, or use --data") from error
    return [name for name in known if name not in applied]


def _files(schema: Schema) -> list[tuple[str, Traversable]]:
    folder = resources.files("runyard.runtime.storage.sqlite").joinpath(schema.folder)
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return [(file.name.removesuffix(".sql"), file) for file in files if file.name.endswith(".sql")]


def _apply(file: Traversable) -> Callable[[sqlite_utils.Database], None]:
    def migrate(database: sqlite_utils.Database) -> None:
        # Statement by statement: sqlite3's executescript would commit the transaction of the migration.
        for statement in _statements(file.read_text()):
            database.execute(statement)

    return migrate


def _statements(text: str) -> Iterator[str]:
    """The statements of a file; that of a trigger has semicolons of its own."""
    lines: list[str] = []
    for line in text.splitlines():
        lines.append(line)
        if line.endswith(";") and sqlite3.complete_statement("\n".join(lines)):
            yield "\n".join(lines)
            lines.clear()
