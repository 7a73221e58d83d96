"""Statements and what the server answers, straight through libpq: the cursors of the driver take several times as long
for each, and most of that while they keep the other threads of the process from going on.

What is asked for with every run and every look at one begins with `/* kept */`: a session keeps it under a name, with
its plan, which the server would otherwise work out anew each time, and often for longer than it then executes it. Only
a session that is certain to be one's own does: a pooler in transaction mode may give the next transaction to another.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import DiagnosticField, ExecStatus, Format
from psycopg.pq.abc import PGresult

Row = tuple[Any, ...]
Parameters = Sequence[Any] | Mapping[str, Any]

KEPT = "/* kept */"
MOST_KEPT = 200
"""Statements that a session keeps. One whose parameters have other types is another one."""

_PLACE = re.compile(r"%(?:\((\w+)\))?([sb%])")
_WANTED = {"s": PyFormat.AUTO, "b": PyFormat.BINARY}
_GOOD = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.EMPTY_QUERY)
_NOT_KEPT = (
    psycopg.errors.InvalidSqlStatementName,
    psycopg.errors.DuplicatePreparedStatement,
    psycopg.errors.FeatureNotSupported,
)
"""What is said of a statement that is not there, as in the session of another; and when another version of Runyard has
changed the tables, so that a statement returns something else than it did."""


class NotKept(psycopg.InternalError):
    """A statement that this session was to keep is to be asked for again; nothing was done."""


class Answer:
    """All that a statement has returned. rowcount: of rows that it has returned, or changed."""

    __slots__ = ("_given", "_result", "_rows", "rowcount")

    def __init__(self, result: PGresult, rows: list[Row]) -> None:
        self._result = result
        self._rows = rows
        self._given = 0
        self.rowcount = len(rows) if result.status == ExecStatus.TUPLES_OK else result.command_tuples or 0

    @property
    def description(self) -> list[tuple[str]]:
        """Of each column, its name."""
        names = (self._result.fname(number) for number in range(self._result.nfields))
        return [((name or b"").decode(),) for name in names]

    def fetchone(self) -> Row | None:
        """The next row that was not given yet."""
        return next(self, None)

    def fetchall(self) -> list[Row]:
        """All rows that were not given yet."""
        left = self._rows[self._given :]
        self._given = len(self._rows)
        return left

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        if self._given == len(self._rows):
            raise StopIteration
        self._given += 1
        return self._rows[self._given - 1]


class Exchange:
    """With the server, over one connection. Whoever asks blocks the thread, which hears of no signal meanwhile."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        """To be made when the connection knows all types that it is to take."""
        self._pgconn = connection.pgconn
        self._types = Transformer(connection)
        self._names: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        self._own: bool | None = None
        self.waiting_since: float | None = None
        """Of the monotonic clock; for other threads."""

    def execute(self, statement: str, parameters: Parameters) -> Answer:
        """Raises psycopg.Error."""
        written = _written(statement)
        values, pgconn = self._types.dump_sequence(written.in_order(parameters), written.formats), self._pgconn
        types, formats = self._types.types or (), self._types.formats
        if written.kept and self._is_own():
            try:
                name = self._kept(written.text, types)
                result = self._ask(pgconn.exec_prepared, name, values, formats, Format.BINARY)
            except _NOT_KEPT as error:
                self._own = False
                raise NotKept(str(error)) from None
        else:
            result = self._ask(pgconn.exec_params, written.text, values, types, formats, Format.BINARY)
        self._types.set_pgresult(result)
        return Answer(result, self._types.load_rows(0, result.ntuples, tuple))

    def run(self, script: str) -> bytes | None:
        """Several statements without parameters; the first value that the last one returns, as text. Raises
        psycopg.Error."""
        result = self._ask(self._pgconn.exec_, script.encode())
        return result.get_value(0, 0) if result.ntuples else None

    def _is_own(self) -> bool:
        """Whether no pooler gives this session to others: the server then is the process that it said it was."""
        if self._own is None:
            self._own = self.run("select pg_backend_pid()") == str(self._pgconn.backend_pid).encode()
        return self._own and len(self._names) < MOST_KEPT

    def _kept(self, text: bytes, types: tuple[int, ...]) -> bytes:
        """The name of a statement that the session keeps from now on. It tells what the statement is: should it be
        there without having been made here, it is the same."""
        name = self._names.get((text, types))
        if name is None:
            name = b"runyard_" + blake2b(repr((text, types)).encode(), digest_size=16).hexdigest().encode()
            self._ask(self._pgconn.prepare, name, text, types)
            self._names[text, types] = name
        return name

    def _ask(self, ask: Callable[..., PGresult], *given: Any) -> PGresult:
        self.waiting_since = time.monotonic()
        try:
            result = ask(*given)
        except MemoryError:  # as the driver says that it was not sent
            raise self._lost() from None
        finally:
            self.waiting_since = None
        self._check(result)
        return result

    def _check(self, result: PGresult) -> None:
        if result.status in _GOOD:
            return
        if result.status == ExecStatus.FATAL_ERROR and not result.error_field(DiagnosticField.SQLSTATE):
            # The library says so, not the server: what was sent did not get through. It need not know yet that nothing
            # will any more.
            raise self._lost()
        if result.status != ExecStatus.FATAL_ERROR:
            raise psycopg.InternalError(f"an answer of the kind {ExecStatus(result.status).name}")
        raise psycopg.errors.error_from_result(result)

    def _lost(self) -> psycopg.OperationalError:
        error = psycopg.OperationalError(self._pgconn.get_error_message())
        self._pgconn.finish()
        return error


class _Written(NamedTuple):
    """A statement as the server reads it. names: of its parameters, in their order, where they have names. kept: by
    sessions."""

    text: bytes
    kept: bool
    names: tuple[str, ...]
    formats: list[PyFormat]

    def in_order(self, parameters: Parameters) -> Sequence[Any]:
        if isinstance(parameters, Mapping):
            return [parameters[name] for name in self.names]
        return parameters


@lru_cache(maxsize=512)
def _written(statement: str) -> _Written:
    names: dict[str, int] = {}
    formats: list[PyFormat] = []

    def place(found: re.Match[str]) -> str:
        name, kind = found.groups()
        if kind == "%":
            return "%"
        if name is None or name not in names:
            formats.append(_WANTED[kind])
            if name is None:
                return f"${len(formats)}"
            names[name] = len(formats)
        return f"${names[name]}"

    text = _PLACE.sub(place, statement).encode()
    return _Written(text, statement.startswith(KEPT), tuple(names), formats)
