"""The connections of a process: made when they are needed, used by one pool thread at a time, closed when they are not
needed any more."""

from __future__ import annotations

import random
import threading
import time
from typing import Literal

import psycopg

from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import Unavailable
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.errors import unavailable
from runyard.runtime.storage.postgres.database.reaching import hindrance
from runyard.runtime.storage.postgres.database.silence import SilenceWatch
from runyard.runtime.storage.postgres.database.target import Target

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
"""Seconds for which nobody tries to connect after that has failed; doubled each time."""
LONGEST_WAIT = 3.0
"""Seconds for which one that others use is waited for where no more can be made."""
UNUSED_AFTER = 30.0
"""Seconds after which one that nobody uses is closed, but for the last."""

Group = Literal["shared", "lease"]
"""Those that say who lives never wait behind other work."""


class Connections:
    """While the database cannot be reached, everybody is told so at once, and one at a time finds out whether that
    still holds. It may also let in no more than there are; then those that need one wait for one that is used."""

    def __init__(self, target: Target, longest_statement: float, loops: Loops) -> None:
        self._target = target
        self._longest_statement = longest_statement
        self._lock = threading.Lock()
        self._given_back = threading.Condition(self._lock)
        self._all: set[Connection] = set()
        self._idle: dict[Group, list[tuple[float, Connection]]] = {"shared": [], "lease": []}
        self._used: set[Connection] = set()
        self._failures = 0
        self._hindrance: str | None = None
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

    def take(self, group: Group) -> Connection:
        """One for this thread alone, until it gives it back. Raises Unavailable."""
        with self._lock:
            connection = self._idle_one(group)
            if connection is not None:
                return connection
            tries = time.monotonic() >= self._try_again_at and not (self._failures and self._connecting)
            self._connecting = self._connecting or tries
        if tries:
            connection = self._connect()
            if connection is not None:
                return connection
        return self._take_over(group)

    def give_back(self, connection: Connection, group: Group) -> None:
        """After use, whatever came of it."""
        connection.roll_back()
        with self._lock:
            self._used.discard(connection)
            if connection.usable:
                self._idle[group].append((time.monotonic(), connection))
                self._given_back.notify()
            else:
                # The others were there when this one broke: whoever took one of them would only find that out.
                for dropped in (connection, *(one for _, one in self._idle["shared"])):
                    self._drop(dropped)
                self._idle["shared"].clear()
                self._given_back.notify_all()

    def _idle_one(self, group: Group) -> Connection | None:
        idle = self._idle[group]
        while idle:
            _, connection = idle.pop()
            if connection.usable:
                self._used.add(connection)
                return connection
            self._drop(connection)
        return None

    def _connect(self) -> Connection | None:
        """A new one; None where none is to be had."""
        try:
            connection = Connection(self._target, self._longest_statement)
        except psycopg.OperationalError as error:
            self._hindrance = hindrance(error)
            self._failed()
            return None
        finally:
            self._connecting = False
        with self._lock:
            self._failures, self._hindrance, self._try_again_at = 0, None, 0.0
            self._all.add(connection)
            self._used.add(connection)
            if not self._watching:
                self._watching = True
                self._watch.start()
        return connection

    def _take_over(self, group: Group) -> Connection:
        """One that others are done with, for as long as there are such."""
        until = time.monotonic() + LONGEST_WAIT
        with self._lock:
            while (connection := self._idle_one(group) or self._idle_one("shared")) is None:
                left = until - time.monotonic()
                if left <= 0 or not self._used:
                    raise _out_of_reach(self._hindrance)
                self._given_back.wait(left)
            return connection

    def _drop(self, connection: Connection) -> None:
        connection.close()
        self._all.discard(connection)

    def _failed(self) -> None:
        with self._lock:
            self._failures += 1
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures, 10))
            self._try_again_at = time.monotonic() + random.uniform(pause / 2, pause)

    def _open(self) -> list[Connection]:
        """All that are there; those that were not needed lately are not any more."""
        before = time.monotonic() - UNUSED_AFTER
        with self._lock:
            idle = self._idle["shared"]
            while len(idle) > 1 and idle[0][0] < before:
                self._drop(idle.pop(0)[1])
            return list(self._all)


def _out_of_reach(why: str | None) -> Unavailable:
    reason = "" if why is None else f" ({why})"
    return unavailable(f"the database cannot be reached{reason}; what was accepted before is kept, try again")
