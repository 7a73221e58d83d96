"""What both ends of an import have in common on Postgres."""

from __future__ import annotations

import psycopg

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.port.moving import Columns, Tally
from runyard.runtime.storage.postgres.connection import Connection
from runyard.runtime.storage.postgres.moving.tables import columns_of, read_clock, tally_of
from runyard.runtime.storage.postgres.target import Target
from runyard.runtime.storage.queries import load_queries


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
        try:
            connection = Connection(self._target)
        except psycopg.OperationalError:
            raise ConfigError(
                f"{self._target}: cannot be connected to; see whether the server runs and lets this user in"
            ) from None
        self._connections.append(connection)
        return connection

    def _refuse_servers(self) -> None:
        """In a transaction. Raises ConfigError when workers live."""
        servers = {
            f"{host}, {server}" for host, server, _ in self._connection.execute(load_queries("postgres")["places"])
        }
        if servers:
            raise ConfigError(
                f"{self}: servers use it ({', '.join(sorted(servers))}); stop them first. What was killed counts as "
                "running until its lease has ended"
            )

    # Of a table

    def clock(self) -> int:
        return read_clock(self._connection)

    def columns(self, table: str) -> Columns:
        return columns_of(self._connection, table)

    def tally(self, table: str, columns: Columns) -> Tally:
        return tally_of(self._connection, table, columns)
