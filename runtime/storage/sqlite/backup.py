"""Copies of databases that are in use."""

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.port.capabilities import Progress
from runyard.runtime.storage.private_files import make_private

PAGES = 2_000
"""Pages of 4 KiB that are copied in one step."""
PAUSE = 0.002
"""Seconds between two steps, so that the disk serves others too."""
PATIENCE = 10.0
"""Seconds for which somebody who has a database for themselves is waited for."""


def copy_databases(sources: Sequence[Path], folder: Path, progress: Progress) -> None:
    """Copies databases into a folder, under their names, as they are at one moment; each copy is whole.

    Who uses them meanwhile may go on: all are held at their state of the first moment, and read step by step. Raises
    ConfigError for what is no database, or whose copy is not sound; OSError.
    """
    with ExitStack() as opened:
        connections: list[tuple[Path, sqlite3.Connection]] = []
        for source in sources:
            uri = f"{source.absolute().as_uri()}?mode=rw"  # a log that nobody reads yet needs files of its own
            connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=PATIENCE)
            connections.append((source, opened.enter_context(closing(connection))))
        for source, connection in connections:
            try:
                # The copy is of this state, whatever is written until its end.
                connection.execute("pragma query_only = on")
                connection.execute("begin")
                connection.execute("select count(*) from sqlite_schema").fetchone()
            except sqlite3.Error as error:
                raise ConfigError(f"{source}: cannot be read ({error})") from error
        for source, connection in connections:
            try:
                _copy(connection, folder / source.name, progress)
            except sqlite3.Error as error:
                raise ConfigError(f"{source}: cannot be copied ({error})") from error
            connection.execute("rollback")  # its log need not grow any more


def _copy(source: sqlite3.Connection, target: Path, progress: Progress) -> None:
    def step(_: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)
        time.sleep(PAUSE)

    make_private(target)
    with closing(sqlite3.connect(target)) as copy:
        source.backup(copy, pages=PAGES, progress=step)
        copy.execute("pragma journal_mode = delete")  # one file, with nothing beside it
        (verdict,) = copy.execute("pragma integrity_check(1)").fetchone()
        if verdict != "ok":
            raise ConfigError(f"{target}: the copy is not sound: {verdict}")
    with target.open("rb") as file:
        os.fsync(file.fileno())
