"""A connection as the parts of storage use it, and what begins a transaction on it."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import psycopg
from psycopg.adapt import Loader
from psycopg.pq import Format, TransactionStatus

from runyard.runtime.storage.postgres.conditions import PostgresConditions
from runyard.runtime.storage.postgres.database import arrays
from runyard.runtime.storage.postgres.database.exchange import Answer, Exchange, Parameters, Row
from runyard.runtime.storage.postgres.database.target import Target

LONGEST_STATEMENT = 10.0
"""Seconds, unless a transaction says otherwise."""
BUCKETS, SPACE = 64, 7
"""Of locks, and the space of their numbers."""
MOST_LOCKS = 500
"""That a transaction takes singly: the server has room for some thousands in all."""
SLICES = 10
"""Slices of time that one transaction may take for work that can be done in pieces: each of its statements is a round
trip, and it keeps only those waiting who want the same threads."""
CLOCK = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint"


class _JsonText(Loader):
    """JSON as it comes: whoever needs it as Python's values unpacks it."""

    def load(self, data: Any) -> bytes:
        return bytes(data)


class _BinaryJson(Loader):
    """As it comes in binary, behind the number of its version."""

    format = Format.BINARY

    def load(self, data: Any) -> bytes:
        return bytes(data)[1:]


class _Observed(psycopg.Connection[Row]):
    """Tells since when it waits for the server."""

    waiting_since: float | None = None

    def wait(self, *arguments: Any, **named: Any) -> Any:
        self.waiting_since = time.monotonic()
        try:
            return super().wait(*arguments, **named)
        finally:
            self.waiting_since = None


class Connection:
    """One connection, used by one thread at a time. A pooler may give the next transaction to another session.

    `now`: microseconds since 1970 by the database's clock, when the transaction had its locks.
    """

    slices = SLICES
    conditions = PostgresConditions
    insertion_order = "seq"

    def __init__(self, target: Target, longest_statement: float = LONGEST_STATEMENT) -> None:
        """`longest_statement`: the seconds that the server is given for one outside of transactions. Raises
        psycopg.OperationalError."""
        self._connection = _Observed.connect(target.url, autocommit=True, prepare_threshold=None)
        self._connection.adapters.register_loader("jsonb", _JsonText)
        self._connection.adapters.register_loader("jsonb", _BinaryJson)
        arrays.register(self._connection.adapters)
        self._exchange = Exchange(self._connection)
        self._path = "" if target.schema is None else f"set local search_path = {target.schema};"
        self.always_in_transaction = target.schema is not None
        self._time = 0
        self.longest_statement = longest_statement
        # One's own hold on it: the number that the driver has may be another's before anybody can look.
        self._socket = socket.socket(fileno=os.dup(self._connection.fileno()))

    @property
    def now(self) -> int:
        return self._time

    @property
    def in_transaction(self) -> bool:
        return self._connection.pgconn.transaction_status != TransactionStatus.IDLE

    @property
    def usable(self) -> bool:
        return not self._connection.closed and not self._connection.broken

    def begin(self, *, mode: str = "", seconds: float, locks: Sequence[int] = (), idle: float | None = None) -> None:
        """In one round trip: begins a transaction whose statements may take so long each, takes locks, which last until
        its end, and looks at the clock. Locks are taken in their order, so that nobody waits in a circle. `idle`:
        seconds between two statements after which the server undoes it and ends the session."""
        time = self._exchange.run(f"{self._start(mode, seconds, idle)}{_taking(locks)}{CLOCK}")
        assert time is not None
        self._time = int(time)

    def _start(self, mode: str, seconds: float, idle: float | None = None) -> str:
        self.longest_statement = seconds
        idle = seconds + 5 if idle is None else idle
        return (
            f"begin {mode}; set local statement_timeout = {int(seconds * 1000)};"
            f"set local idle_in_transaction_session_timeout = {int(idle * 1000)};{self._path}"
        )

    def transact(
        self,
        statement: str,
        parameters: Parameters = (),
        *,
        seconds: float,
        before: Callable[[Connection], None] | None = None,
    ) -> list[Row]:
        """One statement as a transaction of its own, in one round trip unless a schema has to be named; its rows, if it
        returns some. The server is not told for how long it may take: whoever looks for silence cancels it. `before`:
        what comes first in the transaction, which then takes more of them."""
        if self.always_in_transaction or before is not None:
            self.begin(seconds=seconds)
            if before is not None:
                before(self)
            rows = self.execute(statement, parameters).fetchall()
            self.commit()
            return rows
        self.longest_statement = seconds
        return self.execute(statement, parameters).fetchall()

    def commit(self) -> None:
        self._exchange.run("commit")

    def roll_back(self) -> None:
        """Closes the connection where even that fails."""
        try:
            if self.in_transaction:
                self._exchange.run("rollback")
        except psycopg.Error:
            self.close()

    def execute(self, statement: str, parameters: Parameters = ()) -> Answer:
        """Parameters are written as `%s` or `%(name)s`, and as `%b` where they are to be sent in binary."""
        return self._exchange.execute(statement, parameters)

    def run_script(self, script: str) -> None:
        """Several statements without parameters. Unlike others, these hear of signals while they wait."""
        self._connection.execute(script)

    def execute_many(self, statement: str, rows: Iterable[Parameters]) -> None:
        """The statement with each of the rows, in few round trips."""
        with self._connection.cursor() as cursor:
            cursor.executemany(statement, rows)

    def copy(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """`copy ... from stdin` with the rows."""
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    def insert_whole(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Inserts rows that have all columns of the table, in its order."""
        self.copy(f"copy {table} from stdin", rows)

    def stream(self, statement: str, parameters: Parameters = ()) -> Iterator[Row]:
        """The rows of a query, few of them in memory at a time; to be gone through before anything else is asked."""
        with self._connection.cursor(binary=True) as cursor:
            yield from cursor.stream(statement, parameters, binary=True, size=100)

    def lock(self, *names: str) -> None:
        """Takes locks, as `begin` does, where what is to be locked was not known before. Whoever holds others already
        may wait in a circle: the transaction is then made again."""
        if names:
            self._connection.execute(_taking([lock_of(name) for name in names]))

    def close(self) -> None:
        self._connection.close()
        self._socket.close()

    def silent(self, now: float) -> float:
        """For how many seconds it has waited for the server, at a moment of the monotonic clock. In any thread."""
        since = self._exchange.waiting_since or self._connection.waiting_since
        return 0.0 if since is None else now - since

    def cancel(self) -> None:
        """Asks the server to give up what it does for this connection. In any thread."""
        with contextlib.suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=2.0)

    def break_off(self) -> None:
        """Whoever waits for the server waits no more. In any thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


def _taking(locks: Collection[int]) -> str:
    """The statements that take locks. Each belongs to a bucket, which whoever takes some locks shares; whoever takes
    very many has whole buckets instead, for the server has no room for all of them."""
    if not locks:
        return ""
    buckets = buckets_of(locks)
    if len(locks) > MOST_LOCKS:
        return f"select pg_advisory_xact_lock({SPACE}, bucket) from unnest(array{buckets}) bucket;"
    shared = ", ".join(f"pg_advisory_xact_lock_shared({SPACE}, {bucket})" for bucket in buckets)
    if len(locks) == 1:
        return f"select {shared}, pg_advisory_xact_lock({next(iter(locks))});"
    listed = ",".join(str(lock) for lock in sorted(set(locks)))
    return f"select {shared}; select pg_advisory_xact_lock(lock) from unnest('{{{listed}}}'::bigint[]) lock;"


def buckets_of(locks: Collection[int]) -> list[int]:
    """Those that locks belong to, in their order."""
    return sorted({lock % BUCKETS for lock in locks})


def lock_of(name: str) -> int:
    """The number of the lock that belongs to a thread, or whatever has that name. Two names may share one; that costs
    time and nothing else."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
