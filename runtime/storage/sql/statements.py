"""What backends give to the parts of storage that are the same for all of them: a connection in a transaction, and the
database that makes one. The text of each statement is the backend's own, by name (see `Queries`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from runyard.runtime.scope import Scope
from runyard.runtime.storage.sql.conditions import Conditions
from runyard.runtime.storage.sql.queries import Queries

T = TypeVar("T")
C_co = TypeVar("C_co", bound="Statements", covariant=True)


class Answer(Protocol):
    """rowcount: how many rows a statement has changed. description: of each column, its name and more."""

    @property
    def rowcount(self) -> int: ...

    @property
    def description(self) -> Any: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Statements(Protocol):
    """A transaction in which statements are executed.

    now: microseconds since 1970, by the clock of the backend. It may go on meanwhile: what is one moment is read once.
    slices: how many slices of time a transaction may take for work that can be done in pieces.
    insertion_order: the column that tells which of two rows is the older one, where a table has no other.
    conditions: how the backend writes those of a query that is put together; called with those that always hold.
    """

    @property
    def now(self) -> int: ...

    @property
    def slices(self) -> int: ...

    @property
    def insertion_order(self) -> str: ...

    @property
    def conditions(self) -> type[Conditions]: ...

    def execute(self, statement: str, parameters: Any = ..., /) -> Answer: ...

    def execute_many(self, statement: str, rows: Sequence[Any], /) -> None:
        """The statement with each of the rows."""
        ...

    def lock(self, *names: str) -> None:
        """Takes the locks that `write` is given, where what is to be locked was not known before."""
        ...

    def stream(self, statement: str, parameters: Any = ..., /) -> Iterable[Any]:
        """The rows of a query, few of them in memory at a time; to be gone through before anything else is asked."""
        ...

    def insert_whole(self, table: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Inserts rows that have all columns of the table, in its order."""
        ...


def lock_rows(connection: Statements, sql: Queries, name: str, parameters: Any) -> None:
    """Locks rows in front of what is decided by them, on a backend that has a statement of that name. Where there is
    one writer at a time, nobody is to be kept away."""
    statement = sql.get(name)
    if statement is not None:
        connection.execute(statement, parameters)


class Database(Protocol[C_co]):
    """Makes transactions."""

    async def write(self, work: Callable[[C_co], T], *, locks: Iterable[str] = ...) -> T:
        """Runs `work`, which may be made more than once, in a transaction; its result, once that is committed.
        `locks`: the ids of the threads whose queue, state or log it changes, which others may be at."""
        ...

    def write_blocking(self, work: Callable[[C_co], T], *, locks: Iterable[str] = ...) -> T:
        """As `write`, for callers that may block their thread."""
        ...

    async def read(self, work: Callable[[C_co], T]) -> T:
        """Runs `work`, of quick statements for reading, each of which sees what is there when it begins."""
        ...

    async def read_aside(self, work: Callable[[C_co], T]) -> T:
        """As `read`, for what may take some milliseconds."""
        ...

    async def read_in_scope(self, scope: Scope, work: Callable[[C_co], T]) -> T:
        """As `read`; where `work` looks at the scope too, it sees one state."""
        ...

    async def snapshot(self, work: Callable[[C_co], T]) -> T:
        """As `read`, of one state."""
        ...

    async def lookup(self, work: Callable[[C_co], T]) -> T:
        """As `snapshot`, for what may take some milliseconds."""
        ...

    async def copying(self, work: Callable[[C_co], T]) -> T:
        """As `snapshot`, for what is read to be copied, however much it is. `work` may write meanwhile, and block."""
        ...

    async def search(self, work: Callable[[C_co], T]) -> T:
        """As `snapshot`, for what may take long, and is given up after some seconds."""
        ...
