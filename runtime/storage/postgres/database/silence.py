"""Notices connections on which nothing comes back: whoever waits on one does not see that it is of no more use.

A server that was unplugged, a firewall that has forgotten a connection or a proxy that swallows all let a statement
wait for minutes. So somebody else looks on: a statement that has waited for long is cancelled, and then its connection
is broken off; sooner where the server does not even answer a new connection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import psycopg

from runyard.runtime.background.loops import BackgroundThread
from runyard.runtime.background.rounds import Loops
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.target import Target

INTERVAL = 0.5
"""Seconds between looks."""
QUIET = 2.0
"""Seconds without an answer from which on the server is tried."""
CANCELLED, BROKEN_OFF = 0.5, 2.0
"""Seconds beyond what the server was told to take at the most, which it ends itself."""


class SilenceWatch:
    """Looks at all connections of a process. `unreachable` is called when the server answers nobody."""

    def __init__(
        self,
        target: Target,
        connections: Callable[[], Collection[Connection]],
        unreachable: Callable[[], None],
        loops: Loops,
    ) -> None:
        self._target = target
        self._connections = connections
        self._unreachable = unreachable
        self._answered = 0.0
        self._thread = BackgroundThread("watching connections to the database", self._look, loops)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Looks no more."""
        self._thread.stop()

    def _look(self) -> float:
        now = time.monotonic()
        quiet = []
        for connection in self._connections():
            silent = connection.silent(now)
            if silent > connection.longest_statement + BROKEN_OFF:
                connection.break_off()
            elif silent > connection.longest_statement + CANCELLED:
                connection.cancel()
            if silent > QUIET:
                quiet.append(connection)
        if quiet and now - self._answered > QUIET:
            if self._answers():
                self._answered = now
            else:
                for connection in quiet:
                    if connection.silent(time.monotonic()) > QUIET:
                        connection.break_off()
                self._unreachable()
        return INTERVAL

    def _answers(self) -> bool:
        """Whether the server does, be it with a refusal."""
        try:
            psycopg.connect(self._target.url, connect_timeout=int(QUIET)).close()
        except psycopg.errors.ConnectionTimeout:
            return False
        except psycopg.OperationalError:
            return True
        return True
