"""The schema, as numbered SQL files that are applied in order, each once."""

import sqlite3
from collections.abc import Callable, Iterator
from importlib import resources
from importlib.resources.abc import Traversable

import sqlite_utils


def migrations() -> sqlite_utils.Migrations:
    """The set of all migrations; `apply` runs those that a database lacks."""
    numbered = sqlite_utils.Migrations("runyard")
    folder = resources.files("runyard.runtime.storage.sqlite").joinpath("schema")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql"):
            numbered(name=file.name.removesuffix(".sql"))(_apply(file))
    return numbered


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
