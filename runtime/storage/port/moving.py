"""Moving all that is kept from one backend into another: what each of them does for it.

A row is moved as it is: tables of the same meaning have the same columns, see `moved_tables`. Everything here blocks,
and is used by one thread. Who opens an end closes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from runyard.runtime.storage.port.workers import WorkerStorage

Kind = Literal["text", "json", "bytes", "int", "flag", "float"]
Columns = Mapping[str, Kind]
"""The columns of a table, in order."""
Row = tuple[Any, ...]
"""Values of columns: str, bytes, int (flags too), float, None."""

MODULUS = 1_000_003
"""What numbers are taken modulo of in a tally."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a table holds: rows, bytes of their texts and payloads, and a sum of the remainders of their numbers."""

    rows: int
    bytes: int
    numbers: int


@dataclass(frozen=True, slots=True)
class Nul:
    """A NUL character, which not every backend can hold: in which column of which row (named by its key)."""

    table: str
    key: tuple[Any, ...]
    column: str
    in_key: bool

    def __str__(self) -> str:
        return f"{self.column} of {self.table} {' '.join(map(repr, self.key))}"


class End(Protocol):
    """Either end. `str` of it is for people, without secrets."""

    holds_nul: bool

    def close(self) -> None: ...

    def clock(self) -> int:
        """The clock of the queue, in microseconds."""

    def columns(self, table: str) -> Columns:
        """Those that are moved."""

    def tally(self, table: str, columns: Columns) -> Tally: ...


class Source(End, Protocol):
    """What is moved. Nothing of it is changed."""

    def open(self) -> None:
        """Keeps servers away from it. Raises ConfigError when one uses it, or it is not what this version can read."""

    def nuls(self, table: str, columns: Columns) -> list[Nul]: ...

    def rows(self, table: str, columns: Columns, after: Row | None, shift: int) -> Iterator[Row]:
        """The rows in the order of their keys, those with a greater key than `after`; to be gone through before
        anything else is asked. `shift` is added to times of the queue."""

    def sequences(self) -> dict[str, int]:
        """By table, the greatest number that was given, where that of a row that was removed is not given again."""


class Target(End, Protocol):
    """Where it is moved to. Until the end no server uses it."""

    def open(self, *, restart: bool) -> str | None:
        """Keeps other imports and servers away, and returns the note of the import that was begun and not finished.

        `restart`: such an import is undone first. Raises ConfigError when a server uses it, or it holds anything else.
        """

    def note(self, text: str) -> None:
        """Notes how far the import is: durable before anything that follows."""

    def last(self, table: str) -> Row | None:
        """The greatest key that there is."""

    def write(self, table: str, columns: Columns, rows: Sequence[Row]) -> None:
        """Adds rows, whose keys are greater than `last`, all or none of them. Raises ConfigError for what cannot be
        held; Unavailable."""

    def number_on(self, sequences: Mapping[str, int]) -> None:
        """Numbers that are given from now on are greater than these, and than all that there are."""

    def workers(self) -> AbstractContextManager[WorkerStorage]:
        """For giving back the runs of workers that the source had."""

    def finish(self) -> None:
        """All is there: servers may use it."""
