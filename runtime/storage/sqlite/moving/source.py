"""A data directory that is moved elsewhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.moved_tables import MOVED
from runyard.runtime.storage.nul_characters import has_nul
from runyard.runtime.storage.port.moving import Columns, Nul, Row, Tally
from runyard.runtime.storage.sqlite.migrations import RUNYARD, Schema, migrate, missing_of, read_refusal
from runyard.runtime.storage.sqlite.moving.tables import FILES, Tables
from runyard.runtime.storage.sqlite.server_lock import take_for_server
from runyard.runtime.storage.sqlite.workers.worker_locks import WorkerLocks

PATIENCE = 10.0
"""Seconds for which somebody who has a database for themselves is waited for."""


class SqliteSource:
    """See `Source`. The server's lock is held, so that no server changes what is read."""

    holds_nul = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened = ExitStack()
        self._tables = Tables({})

    def __str__(self) -> str:
        return str(self._folder)

    def open(self) -> None:
        if not (self._folder / FILES["main"][0]).is_file():
            raise ConfigError(f"{self._folder}: there is no database of Runyard's; name the data directory with --from")
        self._opened.callback(take_for_server(self._folder).close)
        if WorkerLocks(self._folder / "workers").states():
            raise ConfigError(f"{self._folder}: workers of an ended server still run; try again in a moment")
        for name, schema in FILES.values():
            self._check(self._folder / name, schema)
        self._tables = Tables({file: self._connect(*FILES[file]) for file in FILES})

    def close(self) -> None:
        self._opened.close()

    def _check(self, path: Path, schema: Schema) -> None:
        if not path.exists():
            return
        refusal = read_refusal(path, schema)
        if refusal is not None:
            raise ConfigError(f"{path}: {refusal}")
        if missing_of(path, schema):
            remedy = "start a server of this version with it once"
            if schema is RUNYARD:
                remedy = f"bring it up to date with `runyard migrate --database sqlite --data {self._folder}`"
            raise ConfigError(f"{path}: is of an earlier version; {remedy}")

    def _connect(self, name: str, schema: Schema) -> sqlite3.Connection:
        """Sees one state. A store that nobody has used has no file."""
        path = self._folder / name
        if not path.exists():
            connection = self._opened.enter_context(closing(sqlite3.connect(":memory:")))
            migrate(connection, schema)
            return connection
        uri = f"{path.absolute().as_uri()}?mode=rw"  # a log that nobody reads yet needs files of its own
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=PATIENCE)
        self._opened.enter_context(closing(connection))
        connection.execute("pragma query_only = on")
        connection.execute("begin")
        return connection

    def clock(self) -> int:
        return self._tables.clock()

    def columns(self, table: str) -> Columns:
        return self._tables.columns(table)

    def tally(self, table: str, columns: Columns) -> Tally:
        return self._tables.tally(table, columns)

    def rows(self, table: str, columns: Columns, after: Row | None, shift: int) -> Iterator[Row]:
        return self._tables.rows(table, columns, after, shift=shift)

    def nuls(self, table: str, columns: Columns) -> list[Nul]:
        suspected = {
            name: f"instr(cast({name} as blob), x'00')" if kind == "text" else rf"instr(cast({name} as text), '\u0000')"
            for name, kind in columns.items()
            if kind in ("text", "json")
        }
        if not suspected:
            return []
        keys = {name: columns[name] for name in MOVED[table]}
        looked_at = {**keys, **{name: columns[name] for name in suspected}}
        found = []
        for row in self._tables.rows(table, looked_at, where=f"({' or '.join(suspected.values())})"):
            for (name, kind), value in zip(looked_at.items(), row, strict=True):
                if has_nul(value, kind):
                    found.append(Nul(table, row[: len(keys)], name, name in keys))
        return found

    def sequences(self) -> dict[str, int]:
        rows = self._tables.connection("runs").execute("select name, seq from sqlite_sequence")
        return {name: number for name, number in rows if name in MOVED}
