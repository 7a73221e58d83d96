"""The SQLite file: one writer thread that commits in groups, and connections for reading.

All writes of a process go through one queue, in order. The writer takes what has gathered, runs it in one
transaction and then tells everybody; so nothing waits for more to come, and a busy time pays for few
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

import sqlite_utils

from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.storage.sqlite.answers import Answer, tell
from runyard.runtime.storage.sqlite.conditions import contains
from runyard.runtime.storage.sqlite.errors import is_outage, write_refused
from runyard.runtime.storage.sqlite.migrations import migrations

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
class _Job:
    """A write, and who is told of its end: a coroutine or a thread that waits, or, if it fails, `failed`."""

    work: Write
    future: "asyncio.Future[Any] | Future[Any] | None" = None
    failed: Callable[[BaseException], None] | None = None


class Database:
    """One process's access to the file. `open` first, `close` last; safe to use from several threads.

    Several processes write to the file: an advisory lock beside it is taken around each transaction,
    since SQLite's own busy handler polls and is unfair.
    """

    def __init__(self, path: Path, *, sync: Literal["normal", "full"] = "normal") -> None:
        self.path = path
        self._sync = sync
        self._jobs: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._writer: threading.Thread | None = None
        self._tender: threading.Thread | None = None
        self._stop_tending = threading.Event()
        self._local = threading.local()
        self._scanners: ThreadPoolExecutor | None = None
        self._connections: list[sqlite3.Connection] = []
        self._lock_file = -1

    def open(self, *, tend: bool = False) -> None:
        """Opens the file, creating and migrating it.

        `tend`: also keep the write-ahead log short; one process of the server does.
        Raises ConfigError when the file is not a database that this version can use.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock_file = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            writer = self._connect()
            self._lock()
            try:
                writer.execute("pragma journal_mode = wal")
                migrations().apply(sqlite_utils.Database(writer))
            finally:
                self._unlock()
            writer.isolation_level = None
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(
                f"{self.path}: cannot be opened as Runyard's database ({error}); "
                "choose another directory with --data, or move the file away"
            ) from error
        self._scanners = ThreadPoolExecutor(2, "scan")
        self._writer = threading.Thread(target=self._write_jobs, args=(writer,), name="writer", daemon=True)
        self._writer.start()
        if tend:
            self._tender = threading.Thread(target=self._tend, name="wal", daemon=True)
            self._tender.start()

    def close(self) -> None:
        """Commits what was submitted, then closes everything."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._stop_tending.set()
        for thread in (self._writer, self._tender):
            if thread is not None:
                thread.join()
        if self._scanners is not None:
            self._scanners.shutdown()
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` in a transaction; returns its answer once that is committed."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put(_Job(work, future))
        return await future

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """As `write`, for callers that wait in a thread."""
        future: Future[T] = Future()
        self._put(_Job(work, future))
        return future

    def post(self, work: Write, failed: Callable[[BaseException], None]) -> None:
        """As `submit`, for work that nobody waits for. `failed` is called before any later write is made."""
        self._put(_Job(work, failed=failed))

    def look(self, look: Callable[[sqlite3.Connection], T]) -> T:
        """A read that costs microseconds, done where it is asked for."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect(read_only=True)
        return look(connection)

    async def scan(self, look: Callable[[sqlite3.Connection], T]) -> T:
        """A read that may take long, done in a thread."""
        assert self._scanners is not None
        return await asyncio.get_running_loop().run_in_executor(self._scanners, self.look, look)

    def _put(self, job: _Job) -> None:
        with self._wake:
            if self._closing:
                raise Unavailable("the database is being closed; try again when the server is back")
            self._jobs.append(job)
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

    def _write_jobs(self, connection: sqlite3.Connection) -> None:
        while True:
            with self._wake:
                while not self._jobs and not self._closing:
                    self._wake.wait()
                if not self._jobs:
                    return
                jobs = list(self._jobs)
                self._jobs.clear()
            self._commit(connection, jobs)

    def _commit(self, connection: sqlite3.Connection, jobs: list[_Job]) -> None:
        answers: list[Answer] = []
        try:
            self._lock()
            try:
                connection.execute("begin immediate")
                for job in jobs:
                    answer, error = self._run(connection, job.work)
                    if job.future is not None:
                        answers.append((job.future, answer, error))
                    elif error is not None and job.failed is not None:
                        job.failed(error)
                connection.execute("commit")
            finally:
                if connection.in_transaction:
                    connection.execute("rollback")
                self._unlock()
        except (sqlite3.Error, OSError) as error:
            refusal = write_refused(error)
            answers = [(job.future, None, refusal) for job in jobs if job.future is not None]
            for job in jobs:
                if job.failed is not None:
                    job.failed(refusal)
        tell(answers)

    @staticmethod
    def _run(connection: sqlite3.Connection, work: Write) -> tuple[Any, BaseException | None]:
        connection.execute("savepoint job")
        try:
            answer = work(connection)
        except Exception as error:  # whatever it is belongs to whoever asked for the write
            if not connection.in_transaction:  # SQLite has undone the whole group, as it may when the disk is full
                raise
            connection.execute("rollback to job")
            connection.execute("release job")
            return None, write_refused(error) if is_outage(error) else error
        connection.execute("release job")
        return answer, None

    def _tend(self) -> None:
        connection = self._connect()
        while not self._stop_tending.wait(CHECKPOINT_EVERY):
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
