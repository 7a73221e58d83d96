"""The SQLite file: one writer that commits in groups, and connections for reading."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import ConfigError
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.storage import Meter
from runyard.runtime.storage.private_files import make_private
from runyard.runtime.storage.sqlite.conditions import contains, folded_text, has_items
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.database.errors import is_busy
from runyard.runtime.storage.sqlite.database.file_lock import FileLock
from runyard.runtime.storage.sqlite.database.log_keeper import LONG_LOG, PAGE, LogKeeper
from runyard.runtime.storage.sqlite.database.readers import Pool, Readers
from runyard.runtime.storage.sqlite.database.writer import GIVE_WAY, PATIENCE, QueuedWrite, Writer
from runyard.runtime.storage.sqlite.migrations import RUNYARD, Schema, migrate

T = TypeVar("T")

TIMEOUT = 5.0
"""Seconds that a read waits for another program that has the database for itself."""


class Database:
    """One process's access to the file. `open` first, `close` last; safe to use from several threads."""

    def __init__(
        self,
        path: Path,
        *,
        sync: Literal["normal", "full"] = "normal",
        meter: Meter | None = None,
        loops: Loops | None = None,
        schema: Schema = RUNYARD,
        prepare: Callable[[Connection], None] | None = None,
    ) -> None:
        """`meter` is told what writes cost, and `loops` of what goes on in the background. `prepare` gets each new
        connection."""
        self._loops = loops or Loops()
        self.path = path
        self._sync = sync
        self._meter = meter
        self._schema = schema
        self._prepare_connection = prepare
        self._connections: list[Connection] = []
        self._lock = self._another_lock()
        self._writer = Writer(self._lock, self._loops)
        self._readers = Readers(self._connect_to_read)
        self._log_keeper: LogKeeper | None = None

    def open(self, *, maintain: bool = False) -> None:
        """Opens the file, creating and migrating it.

        `maintain`: also keep the write-ahead log short; one process of the server does.
        Raises ConfigError when the file is not a database that this version can use.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            make_private(self.path)
            self._lock.open()
            connection = self._connect()
            self._prepare(connection)
        except ConfigError as error:
            raise ConfigError(f"{self.path.parent}: {error.detail}, or choose another directory with --data") from None
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(
                f"{self.path}: cannot be opened as Runyard's database ({error}); "
                "choose another directory with --data, or move the file away"
            ) from error
        self._writer.start(connection)
        if maintain:
            self._log_keeper = LogKeeper(self._connect, self._another_lock(), self._meter, self._loops, path=self.path)
            self._log_keeper.start()

    def _prepare(self, connection: Connection) -> None:
        """Brings the schema up to date. Another program that writes is waited for outside the lock."""
        patience = time.monotonic() + PATIENCE
        while True:
            try:
                with self._lock:
                    connection.execute("pragma journal_mode = wal")
                    migrate(connection, self._schema)
                break
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > patience:
                    raise
            time.sleep(GIVE_WAY * 50)
        connection.isolation_level = None

    def close(self) -> None:
        """Commits what is queued, then closes everything."""
        self._writer.stop()
        if self._log_keeper is not None:
            self._log_keeper.stop()
        self._readers.stop()
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        self._lock.close()

    async def write(self, work: Callable[[Connection], T], *, locks: Iterable[str] = ()) -> T:
        """Runs `work` in a transaction; returns its result once that is committed. There is one writer at a time, so
        no `locks` are needed.

        Raises what `work` raises, or Unavailable when the database refuses the write or is being closed.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.add(QueuedWrite(work, future))
        return await future

    def write_blocking(self, write: Callable[[Connection], T], *, locks: Iterable[str] = ()) -> T:
        """As `write`, for callers that may block their thread."""
        future: Future[T] = Future()
        self._writer.add(QueuedWrite(write, future))
        return future.result()

    def write_by_and_by(self, write: Callable[[Connection], T], future: "Future[T]") -> None:
        """As `write`, with the future that gets the result, but some milliseconds later: cancelled before, it is not
        made at all."""
        self._writer.put_off(QueuedWrite(write, future))

    def hasten(self, future: "Future[T]") -> None:
        """Has a write made at once that was put off."""
        self._writer.hasten(future)

    def read_here(self, read: Callable[[Connection], T]) -> T:
        """Runs `read`, which must cost no more than microseconds, in the caller's thread."""
        return self._readers.read(read)

    async def read_in_pool(self, read: Callable[[Connection], T], pool: Pool) -> T:
        """Runs `read`, which may take long, in a thread of that pool: searches and counts, which are given up after
        some seconds, lookups, what is read to be copied, or probes of whether it answers."""
        return await self._readers.read_in_pool(read, pool)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """As `read_here`."""
        return self.read_here(work)

    async def read_aside(self, work: Callable[[Connection], T]) -> T:
        """As `read`, for what may take some milliseconds."""
        return await self.read_in_pool(work, "lookup")

    async def read_in_scope(self, scope: Scope, work: Callable[[Connection], T]) -> T:
        """As `read`; where `work` looks at the scope too, it sees one state."""
        return self.read_here(partial(_in_one_state, work) if scope.filter or scope.decided else work)

    async def snapshot(self, work: Callable[[Connection], T], pool: Pool | None = None) -> T:
        """As `read_here`, or `read_in_pool`, for several reads of one and the same state."""
        one_state = partial(_in_one_state, work)
        return self.read_here(one_state) if pool is None else await self.read_in_pool(one_state, pool)

    async def lookup(self, work: Callable[[Connection], T]) -> T:
        """As `snapshot`, for what may take some milliseconds."""
        return await self.snapshot(work, "lookup")

    async def copying(self, work: Callable[[Connection], T]) -> T:
        """As `snapshot`, for what is read to be copied; `work` may write meanwhile."""
        return await self.snapshot(work, "copy")

    async def search(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` as a search: of one state, and given up after some seconds."""
        return await self.snapshot(work, "search")

    def _another_lock(self) -> FileLock:
        return FileLock(self.path.with_name(f"{self.path.name}.lock"), self._meter)

    def _connect(self) -> Connection:
        """For writing and for upkeep. It never waits for others: whoever does may hold the file lock."""
        connection = self._open_connection()
        connection.execute(f"pragma journal_size_limit = {LONG_LOG * PAGE}")
        connection.execute("pragma busy_timeout = 0")
        return connection

    def _connect_to_read(self) -> Connection:
        connection = self._open_connection()
        # Not for writers: a savepoint's journal in memory is walked at each statement, so that a write of 10,000 rows
        # takes seconds.
        connection.execute("pragma temp_store = memory")
        connection.isolation_level = None
        connection.execute("pragma query_only = on")
        return connection

    def _open_connection(self) -> Connection:
        connection = sqlite3.connect(
            self.path, check_same_thread=False, timeout=TIMEOUT, cached_statements=512, factory=Connection
        )
        self._connections.append(connection)
        connection.execute(f"pragma synchronous = {self._sync}")
        connection.execute("pragma wal_autocheckpoint = 0")
        connection.execute("pragma cache_size = -4000")
        connection.create_function("clock_micros", 0, now)
        connection.create_function("contains", 2, contains, deterministic=True)
        connection.create_function("folded", 1, folded_text, deterministic=True)
        connection.create_function("has_items", 3, has_items, deterministic=True)
        if self._prepare_connection is not None:
            self._prepare_connection(connection)
        return connection


def _in_one_state(work: Callable[[Connection], T], connection: Connection) -> T:
    connection.execute("begin")
    try:
        return work(connection)
    finally:
        connection.execute("commit")
