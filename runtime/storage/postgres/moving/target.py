"""A database that gets what another backend holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import psycopg

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.moved_tables import MOVED
from runyard.runtime.storage.port.moving import Columns, Row, Tally
from runyard.runtime.storage.port.workers import WorkerStorage
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.database.database import Database
from runyard.runtime.storage.postgres.migrations import migrate, read_state
from runyard.runtime.storage.postgres.moving.ends import PostgresEnd
from runyard.runtime.storage.postgres.moving.tables import LONGEST_STEP, last_of, sequences_of
from runyard.runtime.storage.postgres.store.items import digest_of
from runyard.runtime.storage.postgres.workers.workers import PostgresWorkers
from runyard.runtime.storage.rows.store import namespace_of
from runyard.runtime.storage.sql.fetching import one
from runyard.runtime.storage.sql.queries import load_queries

T = TypeVar("T")

_LINE = re.compile(r"line (\d+)(?:, column (\w+))?")


class PostgresTarget(PostgresEnd):
    """See `Target`. The note is the row of `imports`, which keeps servers away for as long as it says no end."""

    def open(self, *, restart: bool) -> str | None:
        connection = self._connect()
        with self._translating():
            state = read_state(connection, self._target)
            if state.missing:
                migrate(connection, self._target)
                state = read_state(connection, self._target)
        if state.refusal is not None and not state.unfinished:
            raise ConfigError(f"{self}: {state.refusal}")
        self._keep_servers_away()
        return self._transact(lambda connection: self._begun(connection, restart=restart))

    def _begun(self, connection: Connection, *, restart: bool) -> str | None:
        found = connection.execute("select note, finished_at from imports").fetchone()
        if found is not None and found[1] is not None:
            raise ConfigError(
                f"{self}: an import into it is finished already; name another schema with --database-schema"
            )
        if found is not None and not restart:
            return str(found[0])
        if found is not None:
            connection.run_script(f"truncate {', '.join(MOVED)}, thread_tags, imports")
        for table in MOVED:
            if connection.execute(f"select 1 from {table} limit 1").fetchone() is not None:
                raise ConfigError(
                    f"{self}: there is something already, in the table {table}; name another schema with "
                    "--database-schema"
                )
        return None

    def note(self, text: str) -> None:
        def work(connection: Connection) -> None:
            if connection.execute("update imports set note = %s", (text,)).rowcount == 0:
                connection.execute("insert into imports (note, begun_at) values (%s, %s)", (text, connection.now))

        self._transact(work)

    def clock(self) -> int:
        return self._transact(lambda connection: super(PostgresTarget, self).clock())

    def columns(self, table: str) -> Columns:
        return self._transact(lambda connection: super(PostgresTarget, self).columns(table))

    def tally(self, table: str, columns: Columns) -> Tally:
        return self._transact(lambda connection: super(PostgresTarget, self).tally(table, columns))

    def last(self, table: str) -> Row | None:
        return self._transact(lambda connection: last_of(connection, table))

    def write(self, table: str, columns: Columns, rows: Sequence[Row]) -> None:
        names = list(columns)
        given: Iterator[Sequence[object]] = iter(rows)
        if table == "store_items":
            namespace, key = names.index("namespace"), names.index("key")
            names.append("digest")
            given = ((*row, digest_of(namespace_of(row[namespace]), row[key].decode())) for row in rows)
        statement = f"copy {table} ({', '.join(names)}) from stdin"

        def work(connection: Connection) -> None:
            # What is lost with the machine is the end of what was moved, and is moved again.
            connection.run_script("set local synchronous_commit = off")
            try:
                connection.copy(statement, given)
            except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded) as error:
                raise _refusal(error, table, columns, rows) from error

        self._transact(work)

    def number_on(self, sequences: Mapping[str, int]) -> None:
        def work(connection: Connection) -> None:
            for table, sequence in sequences_of(connection).items():
                column = MOVED[table][0]
                (most,) = one(connection, f"select max({column}) from {table}")
                number = max(most or 0, sequences.get(table, 0))
                if number:
                    connection.execute("select setval(%s::regclass, %s)", (sequence, number))

        self._transact(work)

    @contextmanager
    def workers(self) -> Iterator[WorkerStorage]:
        database = Database(self._target)
        try:
            yield PostgresWorkers(database, load_queries("postgres"), lease_seconds=1.0)  # no worker gets one here
        finally:
            database.close()

    def finish(self) -> None:
        self._transact(lambda connection: connection.run_script(f"analyze {', '.join(MOVED)}"))
        self._transact(
            lambda connection: connection.execute("update imports set finished_at = %s", (connection.now,)).rowcount
        )

    def _transact(self, work: Callable[[Connection], T]) -> T:
        connection = self._connection
        with self._translating():
            try:
                connection.begin(seconds=LONGEST_STEP)
                result = work(connection)
                connection.commit()
            except BaseException:
                connection.roll_back()
                raise
        return result


def _refusal(error: psycopg.Error, table: str, columns: Columns, rows: Sequence[Row]) -> ConfigError:
    """Names the row that was refused, as far as Postgres says which."""
    place = table
    found = _LINE.search(error.diag.context or "")
    if found is not None and int(found[1]) <= len(rows):
        row = dict(zip(columns, rows[int(found[1]) - 1], strict=True))
        key = " ".join(repr(row[name]) for name in MOVED[table])
        place = f"{found[2] + ' of ' if found[2] else ''}{table} {key}"
    return ConfigError(f"{place}: Postgres refuses it ({error.diag.message_primary or type(error).__name__})")
