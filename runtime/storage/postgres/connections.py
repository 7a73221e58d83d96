"""The connections of a process: one for each pool thread, made when it first needs one and again when it has broken."""

from __future__ import annotations

import random
import threading
import time

import psycopg

from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.postgres.connection import Connection
from runyard.runtime.storage.postgres.errors import unavailable
from runyard.runtime.storage.postgres.silence import SilenceWatch
from runyard.runtime.storage.postgres.target import Target

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
"""Seconds for which nobody tries to connect after that has failed; doubled each time."""


class Connections:
    """While the database cannot be reached, everybody is told so at once, and one at a time finds out whether that
    still holds."""

    def __init__(self, target: Target, longest_statement: float, loops: Loops) -> None:
        self._target = target
        self._longest_statement = longest_statement
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: set[Connection] = set()
        self._failures = 0
        self._try_again_at = 0.0
        self._connecting = False
        self._watch = SilenceWatch(target, self._open, self._failed, loops)
        self._watching = False

    def close(self) -> None:
        """When no pool thread uses one any more."""
        if self._watching:
            self._watch.stop()
        for connection in self._all:
            connection.close()
        self._all.clear()

    def of_this_thread(self) -> Connection:
        """Raises Unavailable."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is not None and connection.usable:
            return connection
        with self._lock:
            if time.monotonic() < self._try_again_at or (self._failures and self._connecting):
                raise _out_of_reach()
            self._connecting = True
        try:
            connection = Connection(self._target, self._longest_statement)
        except psycopg.OperationalError:
            self._failed()
            raise _out_of_reach() from None
        finally:
            self._connecting = False
        with self._lock:
            self._failures, self._try_again_at = 0, 0.0
            self._all.add(connection)
            if not self._watching:
                self._watching = True
                self._watch.start()
        self._local.connection = connection
        return connection

    def recover(self, connection: Connection) -> None:
        """After an error: makes that of this thread fit for another transaction, or gives it up."""
        connection.roll_back()
        if not connection.usable:
            connection.close()
            with self._lock:
                self._all.discard(connection)
            self._local.connection = None

    def _failed(self) -> None:
        with self._lock:
            self._failures += 1
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures, 10))
            self._try_again_at = time.monotonic() + random.uniform(pause / 2, pause)

    def _open(self) -> list[Connection]:
        with self._lock:
            return list(self._all)


def _out_of_reach() -> Unavailable:
    return unavailable("the database cannot be reached; what was accepted before is kept, try again")
