"""What both ends of an import have in common on Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.storage.port.moving import Columns, Tally
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.errors import translated
from runyard.runtime.storage.postgres.database.reaching import connect
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.moving.tables import LONGEST_STEP, columns_of, read_clock, tally_of
from runyard.runtime.storage.postgres.serving import keep_servers_away
from runyard.runtime.storage.sql.queries import load_queries


class PostgresEnd:
    """See `End`. One connection for all that is read or written."""

    holds_nul = False

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connections: list[Connection] = []

    def __str__(self) -> str:
        return str(self._target) if self._target.schema is None else f"{self._target}, schema {self._target.schema}"

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    @property
    def _connection(self) -> Connection:
        return self._connections[0]

    def _connect(self) -> Connection:
        """Raises ConfigError."""
        connection = connect(self._target)
        self._connections.append(connection)
        return connection

    @contextmanager
    def _translating(self) -> Iterator[None]:
        """Raises Unavailable where the same may succeed later, and ConfigError for what else Postgres refuses."""
        try:
            yield
        except psycopg.Error as error:
            known = translated(error)
            if isinstance(known, Unavailable):
                raise known from error
            raise ConfigError(f"{self}: {error.diag.message_primary or type(error).__name__}") from error

    def _keep_servers_away(self) -> None:
        """Until `close`. Raises ConfigError when servers or workers live, or another import is under way."""
        # In a transaction of its own that does nothing else: whatever pools connections keeps it for as long.
        guard = self._connect()
        with self._translating():
            guard.begin(seconds=LONGEST_STEP)
            keep_servers_away(guard, self._target, load_queries("postgres"))

    # Of a table

    def clock(self) -> int:
        return read_clock(self._connection)

    def columns(self, table: str) -> Columns:
        with self._translating():
            return columns_of(self._connection, table)

    def tally(self, table: str, columns: Columns) -> Tally:
        with self._translating():
            return tally_of(self._connection, table, columns)
