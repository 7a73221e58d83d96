"""One worker thread that makes all writes of a process, and commits them in groups.

Writes go through one queue, in order. The writer takes what has gathered, runs it in one transaction and then delivers
the results; so nothing waits for more to come, and a busy time pays for few commits. A write that raises undoes only
itself.

What nobody waits for can be put off: a run that ends meanwhile takes its checkpoints back, and has them written in the
one transaction that ends it.
"""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from runyard.runtime.background.loops import BackgroundThread
from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import StorageUnavailable
from runyard.runtime.storage.sqlite.database.connection import Connection
from runyard.runtime.storage.sqlite.database.errors import is_busy, is_outage, write_refused
from runyard.runtime.storage.sqlite.database.file_lock import FileLock
from runyard.runtime.storage.sqlite.database.write_results import WriteResult, deliver_results

Write = Callable[[Connection], Any]

LARGEST_GROUP = 1_000
"""Writes in one transaction, at the most."""
LONGEST_GROUP = 0.02
"""Seconds after which no further write is added to a transaction."""
PUT_OFF = 0.02
"""Seconds for which a write is put off that nobody waits for. A kill costs as much more of a run's progress."""
GIVE_WAY = 0.001
"""Seconds between two transactions of a process that has more to write than fits into one: others write too."""
PATIENCE = 30.0
"""Seconds for which a writer that knows nothing of the file lock (another program) is waited for."""


@dataclass(slots=True)
class QueuedWrite:
    """A write, and the future that gets its result."""

    write: Write
    future: "asyncio.Future[Any] | Future[Any]"

    def begin(self) -> bool:
        """False when it is not to be made: it was taken back in time."""
        future = self.future
        return not isinstance(future, Future) or future.running() or future.set_running_or_notify_cancel()


class Writer:
    """Takes writes from any thread. `connection` is its own from `start` on."""

    def __init__(self, lock: FileLock, loops: Loops) -> None:
        self._lock = lock
        self._loops = loops
        self._queue: deque[QueuedWrite] = deque()
        self._later: deque[tuple[float, QueuedWrite]] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread: BackgroundThread | None = None

    def start(self, connection: Connection) -> None:
        """Begins to make what is asked for; the connection must not wait for locks by itself."""
        self._thread = BackgroundThread("writer", partial(self._write_next, connection), self._loops)
        self._thread.start()

    def stop(self) -> None:
        """Returns when all that was asked for is done."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def add(self, write: QueuedWrite) -> None:
        """Raises Unavailable when the writer is being stopped."""
        with self._wake:
            if self._closing:
                raise _closed()
            self._queue.append(write)
            self._wake.notify()

    def put_off(self, write: QueuedWrite) -> None:
        """Takes a write that nobody waits for yet. Raises as `add` does."""
        with self._wake:
            if self._closing:
                raise _closed()
            self._later.append((time.monotonic() + PUT_OFF, write))
            if len(self._later) == 1:
                self._wake.notify()

    def hasten(self, future: "Future[Any]") -> None:
        """Has the write made now that gives its result to that future, if it was put off."""
        with self._wake:
            for place, (_, later) in enumerate(self._later):
                if later.future is future:
                    del self._later[place]
                    self._queue.append(later)
                    self._wake.notify()
                    return

    def _take_due(self) -> float | None:
        """Puts what is due into the queue; returns the seconds until more is, None when nothing is put off."""
        while self._later:
            due, write = self._later[0]
            left = due - time.monotonic()
            taken_back = write.future.cancelled()
            if left > 0 and not taken_back and not self._closing:
                return left
            self._later.popleft()
            if not taken_back:
                self._queue.append(write)
        return None

    def _write_next(self, connection: Connection) -> float | None:
        assert self._thread is not None
        with self._wake:
            self._thread.rounds.wait()
            due = self._take_due()
            while not self._queue and not self._closing:
                self._wake.wait(due)
                due = self._take_due()
            if not self._queue:
                return None
            self._thread.rounds.begin()
            gathered = min(len(self._queue), LARGEST_GROUP)
        return 0.0 if self._commit(connection, gathered) == gathered else GIVE_WAY

    def _commit(self, connection: Connection, gathered: int) -> int:
        """One transaction of up to so many writes; returns of how many."""
        group: list[QueuedWrite] = []
        results: list[WriteResult] = []
        patience = time.monotonic() + PATIENCE
        try:
            while not self._try(connection, gathered, group, results, patience):
                time.sleep(GIVE_WAY * 5)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait have to hear of it
            refusal = write_refused(error)
            if not group:
                group = [self._queue.popleft() for _ in range(gathered)]
            results = [WriteResult(queued.future, None, refusal) for queued in group if queued.begin()]
        deliver_results(results)
        return len(group)

    def _try(
        self,
        connection: Connection,
        gathered: int,
        group: list[QueuedWrite],
        results: list[WriteResult],
        patience: float,
    ) -> bool:
        """False: another program writes; it is waited for outside the lock."""
        with self._lock:
            try:
                connection.execute("begin immediate")
            except sqlite3.OperationalError as error:
                if is_busy(error) and time.monotonic() < patience:
                    return False
                raise
            try:
                end = time.monotonic() + LONGEST_GROUP
                while len(group) < gathered and (not group or time.monotonic() < end):
                    queued = self._queue.popleft()
                    group.append(queued)
                    if queued.begin():
                        results.append(WriteResult(queued.future, *self._make(connection, queued.write)))
                connection.execute("commit")
            finally:
                if connection.in_transaction:
                    connection.execute("rollback")
        return True

    @staticmethod
    def _make(connection: Connection, write: Write) -> tuple[Any, BaseException | None]:
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


def _closed() -> StorageUnavailable:
    return StorageUnavailable("the database is being closed; try again when the server is back")
