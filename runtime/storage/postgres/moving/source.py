"""A database that is moved elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.port.moving import Columns, Nul, Row
from runyard.runtime.storage.postgres.migrations import read_state
from runyard.runtime.storage.postgres.moving.ends import PostgresEnd
from runyard.runtime.storage.postgres.moving.tables import LONGEST_STEP, rows_of, sequences_of
from runyard.runtime.storage.sql.fetching import one


class PostgresSource(PostgresEnd):
    """See `Source`. All that is read is of one moment."""

    def open(self) -> None:
        connection = self._connect()
        with self._translating():
            state = read_state(connection, self._target)
        if not state.applied:
            raise ConfigError(f"{self}: there is nothing of Runyard's; name its schema with --database-schema")
        if state.refusal is not None:
            raise ConfigError(f"{self}: {state.refusal}")
        if state.missing:
            raise ConfigError(f"{self}: is of an earlier version; bring it up to date with `runyard migrate` first")
        self._keep_servers_away()  # before the moment that is read of
        with self._translating():
            connection.begin(mode="isolation level repeatable read, read only", seconds=LONGEST_STEP)

    def nuls(self, table: str, columns: Columns) -> list[Nul]:
        return []

    def rows(self, table: str, columns: Columns, after: Row | None, shift: int) -> Iterator[Row]:
        with self._translating():
            yield from rows_of(self._connection, table, columns, after, shift)

    def sequences(self) -> dict[str, int]:
        found = {}
        for table, sequence in sequences_of(self._connection).items():
            last, called = one(self._connection, f"select last_value, is_called from {sequence}")
            if called:
                found[table] = last
        return found
