"""Keeps the write-ahead log short, off every writer's path."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from runyard.runtime.background.loops import BackgroundThread
from runyard.runtime.background.rounds import Loops
from runyard.runtime.storage.port.storage import Meter
from runyard.runtime.storage.sqlite.database.connection import Connection
from runyard.runtime.storage.sqlite.database.file_lock import FileLock

logger = logging.getLogger(__name__)

PAGE = 4096
"""Bytes of a page."""
LONG_LOG = 16_384
"""Pages in the log from which on it is started afresh even under load."""
FEW_PAGES = 1_024
"""Pages that may be moved into the database while writers wait; more when the log is very long."""
ENORMOUS_LOG = 262_144
"""Pages from which on the growth of the log is worth a warning; the next one comes when it has doubled."""
CHECKPOINT_EVERY = 0.25
"""Seconds between passes that move the log into the database."""
LONGEST_BACK_OFF = 16.0
"""Seconds until a reader that keeps the log from being started afresh is asked again, at the most."""


class LogKeeper:
    """A thread that moves what is in the log into the database. One process of a server has one.

    The log can be started afresh only when nobody reads an old state. Somebody who does (a backup, a database browser,
    a long search) is not waited for: the log grows meanwhile, and is short again some time after they have left.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        lock: FileLock,
        meter: Meter | None,
        loops: Loops,
        *,
        path: Path,
    ) -> None:
        """`path` is the database's."""
        self._path = path
        self._connect = connect
        self._connection: Connection | None = None
        self._lock = lock
        self._meter = meter
        self._restarted_at = 0
        self._back_off = 0.0
        self._not_before = 0.0
        self._warn_at = ENORMOUS_LOG
        self._thread = BackgroundThread("moving the write-ahead log into the database", self._pass, loops)

    def start(self) -> None:
        """Begins at once."""
        self._thread.start()

    def stop(self) -> None:
        """Returns when the pass that is under way has ended."""
        self._thread.stop()
        self._lock.close()

    def _pass(self) -> float:
        if self._connection is None:
            self._lock.open()
            self._connection = self._connect()
        self.shorten(self._connection)
        return CHECKPOINT_EVERY

    def shorten(self, connection: Connection) -> None:
        """One pass. Never waits for readers, and holds up writers for a few pages at the most."""
        pages = moved = few = 0
        for _ in range(3):  # writers that never pause add pages during a pass; the next one has fewer to move
            _, pages, moved = connection.execute("pragma wal_checkpoint(passive)").fetchone()
            few = max(FEW_PAGES, pages // 16)
            if pages - moved <= few:
                break
        if self._meter is not None:
            self._meter.log_size(max(0, pages) * PAGE)
        self._warn(pages)
        if pages <= LONG_LOG:
            self._back_off = 0.0
        elif pages - moved <= few and pages != self._restarted_at and time.monotonic() >= self._not_before:
            # Writers that never pause keep a passive pass from starting the log afresh.
            with self._lock:
                busy, _, _ = connection.execute("pragma wal_checkpoint(restart)").fetchone()
            self._back_off = min(LONGEST_BACK_OFF, max(CHECKPOINT_EVERY, self._back_off * 2)) if busy else 0.0
            self._restarted_at = 0 if busy else pages  # as long as nobody writes the log looks as before
            self._not_before = time.monotonic() + self._back_off

    def _warn(self, pages: int) -> None:
        if pages <= LONG_LOG:
            self._warn_at = ENORMOUS_LOG
        elif pages > self._warn_at:
            self._warn_at = pages * 2
            logger.warning(
                "%s: the write-ahead log has %s MB, and takes room until it can be started afresh: somebody has been "
                "reading an old state of the database for long (a backup, a database browser), or the disk is slow",
                self._path,
                pages * PAGE >> 20,
            )
