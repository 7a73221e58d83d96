"""A data directory that is made of what another backend holds. It has its name when all is there, and a hidden one
before, so no server can use it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.storage.port.moving import Columns, Row, Tally
from runyard.runtime.storage.port.workers import WorkerStorage
from runyard.runtime.storage.private_files import make_private
from runyard.runtime.storage.sql.queries import load_queries
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.migrations import migrate
from runyard.runtime.storage.sqlite.moving.tables import FILES, File, Tables
from runyard.runtime.storage.sqlite.runs.queue_clock import QueueClock
from runyard.runtime.storage.sqlite.sealed import SCHEMA as ENCRYPTED_SCHEMA
from runyard.runtime.storage.sqlite.server_lock import take_for_server
from runyard.runtime.storage.sqlite.workers.worker_locks import WorkerLocks
from runyard.runtime.storage.sqlite.workers.workers import SqliteWorkers

NOTE = "import.json"


class SqliteTarget:
    """See `Target`."""

    holds_nul = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._partial = self._folder.with_name(f".{self._folder.name}.import")
        self._opened = ExitStack()
        self._connections: dict[File, sqlite3.Connection] = {}
        self._tables = Tables(self._connections)

    def __str__(self) -> str:
        return str(self._folder)

    def open(self, *, restart: bool) -> str | None:
        if self._folder.exists() and (not self._folder.is_dir() or any(self._folder.iterdir())):
            raise ConfigError(
                f"{self._folder}: there is something already; name a directory that is empty, or not there yet"
            )
        try:
            self._partial.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                lock = take_for_server(self._partial)
            except ConfigError:
                raise ConfigError(f"{self._folder}: another import into it is under way") from None
            self._opened.callback(lock.close)
            note = None if restart else self._noted()
            if note is None:
                for name in (NOTE, *(f"{name}{end}" for name, _ in FILES.values() for end in ("", "-wal", "-shm"))):
                    (self._partial / name).unlink(missing_ok=True)
            self._connect()
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"{self._partial}: cannot be used for the import ({error})") from error
        return note

    def close(self) -> None:
        self._opened.close()

    def _noted(self) -> str | None:
        path = self._partial / NOTE
        return path.read_text() if path.exists() else None

    def _connect(self) -> None:
        for file, (name, schema) in FILES.items():
            make_private(self._partial / name)
            connection = self._opened.enter_context(closing(sqlite3.connect(self._partial / name)))
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = normal")
            migrate(connection, schema)
            connection.isolation_level = None
            self._connections[file] = connection

    def note(self, text: str) -> None:
        new = self._partial / f"{NOTE}.new"
        with new.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.rename(self._partial / NOTE)
        _flush(self._partial)

    def clock(self) -> int:
        return self._tables.clock()

    def columns(self, table: str) -> Columns:
        return self._tables.columns(table)

    def tally(self, table: str, columns: Columns) -> Tally:
        return self._tables.tally(table, columns)

    def last(self, table: str) -> Row | None:
        return self._tables.last(table)

    def write(self, table: str, columns: Columns, rows: Sequence[Row]) -> None:
        with self._transaction(table) as connection:
            connection.executemany(self._tables.insertion(table, columns), rows)

    def number_on(self, sequences: Mapping[str, int]) -> None:
        with self._transaction("runs") as connection:
            for table, number in sequences.items():
                connection.execute("update sqlite_sequence set seq = max(seq, ?) where name = ?", (number, table))
                connection.execute(
                    "insert into sqlite_sequence (name, seq) select ?, ? "
                    "where not exists (select 1 from sqlite_sequence where name = ?)",
                    (table, number, table),
                )
            connection.execute(
                "update schema_version set oldest_reader = max(oldest_reader, ?) "
                "where exists (select 1 from encryption)",
                (ENCRYPTED_SCHEMA,),
            )

    @contextmanager
    def workers(self) -> Iterator[WorkerStorage]:
        database, queries = Database(self._partial / FILES["main"][0]), load_queries("sqlite")
        database.open()
        try:
            clock = QueueClock(database, queries)
            clock.open()
            yield SqliteWorkers(database, queries, clock.of, WorkerLocks(self._partial / "workers"))
        finally:
            database.close()

    def finish(self) -> None:
        for connection in self._connections.values():
            connection.execute("pragma wal_checkpoint(truncate)")
            connection.close()
        for name, _ in FILES.values():
            with (self._partial / name).open("rb") as file:
                os.fsync(file.fileno())
        (self._partial / f"{FILES['main'][0]}.lock").unlink(missing_ok=True)
        shutil.rmtree(self._partial / "workers", ignore_errors=True)
        os.rename(self._partial, self._folder)
        (self._folder / NOTE).unlink()
        _flush(self._folder.parent)

    @contextmanager
    def _transaction(self, table: str) -> Iterator[sqlite3.Connection]:
        connection = self._tables.connection(table)
        try:
            connection.execute("begin immediate")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("rollback")
                raise
        except sqlite3.OperationalError as error:
            raise Unavailable(f"{self._partial}: cannot be written to ({error})") from error
        except sqlite3.IntegrityError as error:
            raise ConfigError(f"{self._partial}: {table} has rows of something else ({error})") from error


def _flush(folder: Path) -> None:
    """Makes what was done to the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
