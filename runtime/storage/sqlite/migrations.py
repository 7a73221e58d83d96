"""The schema, as numbered SQL files that are applied in order, each once."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.sqlite.without import without

with without("numpy", "pandas"):  # for data frames, which nobody hands to it here
    import sqlite_utils

SET = "runyard"
"""What the database calls this set of migrations."""


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Names of migrations: those that a database has, those that it lacks, those that only a newer version knows."""

    applied: list[str]
    missing: list[str]
    unknown: list[str]


def migrate(connection: sqlite3.Connection) -> None:
    """Applies the migrations that the database lacks."""
    numbered = sqlite_utils.Migrations(SET)
    for name, file in _files():
        numbered(name=name)(_apply(file))
    numbered.apply(sqlite_utils.Database(connection))


def read_schema_state(path: Path) -> SchemaState:
    """The state of the database at `path`, which is only read; of one that does not exist, too.

    Raises ConfigError for a file that is no database.
    """
    known = [name for name, _ in _files()]
    if not path.exists():
        return SchemaState([], known, [])
    query = "select name from _sqlite_migrations where migration_set = ? order by name"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            applied = [name for (name,) in connection.execute(query, (SET,))]
    except sqlite3.Error as error:
        raise ConfigError(f"{path}: is no database of Runyard's ({error}); move it away, or use --data") from error
    return SchemaState(
        applied,
        [name for name in known if name not in applied],
        [name for name in applied if name not in known],
    )


def _files() -> list[tuple[str, Traversable]]:
    folder = resources.files("runyard.runtime.storage.sqlite").joinpath("schema")
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
