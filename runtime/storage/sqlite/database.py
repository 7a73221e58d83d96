"""The SQLite file: one writer thread that commits in groups, and connections for reading.

All writes of a process go through one queue, in order. The writer takes what has gathered, runs it in one
transaction and then delivers the results; so nothing waits for more to come, and a busy time pays for few
commits. A write that raises undoes only itself.
"""

import asyncio
import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.storage.sqlite.conditions import contains
from runyard.runtime.storage.sqlite.errors import is_outage, write_refused
from runyard.runtime.storage.sqlite.migrations import migrate
from runyard.runtime.storage.sqlite.write_results import WriteResult, deliver_results

logger = logging.getLogger(__name__)

T = TypeVar("T")
Write = Callable[[sqlite3.Connection], Any]

LONG_LOG = 16_384
"""Pages of 4 KiB in the write-ahead log from which on it is started afresh even under load."""

CHECKPOINT_EVERY = 0.25
"""Seconds between passes that move the write-ahead log into the database, off every writer's path."""


def now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


@dataclass(slots=True)
class _QueuedWrite:
    """A write, and what gets its result: the future of who waits, or, only if it fails, `on_error`."""

    write: Write
    future: "asyncio.Future[Any] | Future[Any] | None" = None
    on_error: Callable[[BaseException], None] | None = None


class Database:
    """One process's access to the file. `open` first, `close` last; safe to use from several threads.

    Several processes write to the file: an advisory lock beside it is taken around each transaction,
    since SQLite's own busy handler polls and is unfair.
    """

    def __init__(self, path: Path, *, sync: Literal["normal", "full"] = "normal") -> None:
        self.path = path
        self._sync = sync
        self._queue: deque[_QueuedWrite] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._writer: threading.Thread | None = None
        self._maintainer: threading.Thread | None = None
        self._stopping = threading.Event()
        self._local = threading.local()
        self._readers: ThreadPoolExecutor | None = None
        self._connections: list[sqlite3.Connection] = []
        self._lock_file = -1

    def open(self, *, maintain: bool = False) -> None:
        """Opens the file, creating and migrating it.

        `maintain`: also keep the write-ahead log short; one process of the server does.
        Raises ConfigError when the file is not a database that this version can use.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock_file = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            writer = self._connect()
            self._lock()
            try:
                writer.execute("pragma journal_mode = wal")
                migrate(writer)
            finally:
                self._unlock()
            writer.isolation_level = None
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(
                f"{self.path}: cannot be opened as Runyard's database ({error}); "
                "choose another directory with --data, or move the file away"
            ) from error
        self._readers = ThreadPoolExecutor(2, "reader")
        self._writer = threading.Thread(target=self._write_queued, args=(writer,), name="writer", daemon=True)
        self._writer.start()
        if maintain:
            self._maintainer = threading.Thread(target=self._maintain, name="wal", daemon=True)
            self._maintainer.start()

    def close(self) -> None:
        """Commits what is queued, then closes everything."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._stopping.set()
        for thread in (self._writer, self._maintainer):
            if thread is not None:
                thread.join()
        if self._readers is not None:
            self._readers.shutdown()
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    async def write(self, write: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `write` in a transaction; returns its result once that is committed.

        Raises what `write` raises, or Unavailable when the database refuses the write or is being closed.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._enqueue(_QueuedWrite(write, future))
        return await future

    def write_blocking(self, write: Callable[[sqlite3.Connection], T]) -> T:
        """As `write`, for callers that may block their thread."""
        future: Future[T] = Future()
        self._enqueue(_QueuedWrite(write, future))
        return future.result()

    def write_later(self, write: Write, on_error: Callable[[BaseException], None]) -> None:
        """As `write`, for what nobody waits for. `on_error` is called before any later write is made."""
        self._enqueue(_QueuedWrite(write, on_error=on_error))

    def read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `read`, which must cost no more than microseconds, in the caller's thread."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect(read_only=True)
        return read(connection)

    async def read_in_pool(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `read`, which may take long, in a pool thread."""
        assert self._readers is not None
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read, read)

    def _enqueue(self, write: _QueuedWrite) -> None:
        with self._wake:
            if self._closing:
                raise Unavailable("the database is being closed; try again when the server is back")
            self._queue.append(write)
            self._wake.notify()

    def _connect(self, *, read_only: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, check_same_thread=False, timeout=30, cached_statements=512)
        self._connections.append(connection)
        connection.execute(f"pragma synchronous = {self._sync}")
        connection.execute("pragma wal_autocheckpoint = 0")
        connection.execute("pragma cache_size = -4000")
        connection.create_function("contains", 2, contains, deterministic=True)
        if read_only:
            # Not for writers: a savepoint's journal in memory is walked at each statement, so that a write of
            # 10,000 rows takes seconds.
            connection.execute("pragma temp_store = memory")
            connection.isolation_level = None
            connection.execute("pragma query_only = on")
        return connection

    def _lock(self) -> None:
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)

    def _unlock(self) -> None:
        fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def _write_queued(self, connection: sqlite3.Connection) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._closing:
                    self._wake.wait()
                if not self._queue:
                    return
                group = list(self._queue)
                self._queue.clear()
            self._commit(connection, group)

    def _commit(self, connection: sqlite3.Connection, group: list[_QueuedWrite]) -> None:
        results: list[WriteResult] = []
        try:
            self._lock()
            try:
                connection.execute("begin immediate")
                for queued in group:
                    value, error = self._run(connection, queued.write)
                    if queued.future is not None:
                        results.append(WriteResult(queued.future, value, error))
                    elif error is not None and queued.on_error is not None:
                        queued.on_error(error)
                connection.execute("commit")
            finally:
                if connection.in_transaction:
                    connection.execute("rollback")
                self._unlock()
        except (sqlite3.Error, OSError) as error:
            refusal = write_refused(error)
            results = [WriteResult(queued.future, None, refusal) for queued in group if queued.future is not None]
            for queued in group:
                if queued.on_error is not None:
                    queued.on_error(refusal)
        deliver_results(results)

    @staticmethod
    def _run(connection: sqlite3.Connection, write: Write) -> tuple[Any, BaseException | None]:
        connection.execute("savepoint write")
        try:
            value = write(connection)
        except Exception as error:  # whatever it is belongs to whoever asked for the write
            if not connection.in_transaction:  # SQLite has undone the whole group, as it may when the disk is full
                raise
            connection.execute("rollback to write")
            connection.execute("release write")
            return None, write_refused(error) if is_outage(error) else error
        connection.execute("release write")
        return value, None

    def _maintain(self) -> None:
        connection = self._connect()
        while not self._stopping.wait(CHECKPOINT_EVERY):
            try:
                self._shorten_log(connection)
            except sqlite3.Error as error:  # the next pass may go through: there may be room on the disk again
                logger.error("%s: the write-ahead log cannot be moved into the database: %s", self.path, error)

    def _shorten_log(self, connection: sqlite3.Connection) -> None:
        _, pages, _ = connection.execute("pragma wal_checkpoint(passive)").fetchone()
        if pages > LONG_LOG:
            # Writers that never pause keep a passive pass from starting the log afresh.
            self._lock()
            try:
                connection.execute("pragma wal_checkpoint(restart)").fetchone()
            finally:
                self._unlock()
