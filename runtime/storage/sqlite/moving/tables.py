"""The tables that are moved, as SQLite has them: in two files, and some under other names."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Final, Literal

from runyard.runtime.storage.moved_tables import MOVED, QUEUE_TIMES
from runyard.runtime.storage.port.moving import MODULUS, Columns, Kind, Row, Tally
from runyard.runtime.storage.sqlite.database.connection import now
from runyard.runtime.storage.sqlite.migrations import RUNYARD, STORE, Schema
from runyard.runtime.storage.sqlite.runs.queue_clock import boot_name, since_boot

File = Literal["main", "store"]
FILES: Final[Mapping[File, tuple[str, Schema]]] = {"main": ("runyard.db", RUNYARD), "store": ("store.db", STORE)}

_KINDS: Final[Mapping[str, Kind]] = {"text": "text", "integer": "int", "blob": "bytes", "real": "float"}
_OWN: Final = {("deliveries", "sending"), ("store_items", "indexed")}
"""What is not moved: a call that a server was making is due at once, and items are indexed anew."""
_NUMBERED_BY_ROW: Final = {"assistants", "crons"}
_READ: Final = {
    ("deliveries", "due"): "case when sending then 0 else due end",
    # Where a key may have NUL characters, and SQLite's text can hold them.
    ("store_items", "key"): "cast(key as blob)",
}


class Tables:
    """Over a connection for each file."""

    def __init__(self, connections: Mapping[File, sqlite3.Connection]) -> None:
        self._connections = connections

    def connection(self, table: str) -> sqlite3.Connection:
        """To the file of a table."""
        return self._connections["store" if table == "store_items" else "main"]

    def columns(self, table: str) -> Columns:
        """See `End`."""
        found = self.connection(table).execute("select name, type from pragma_table_info(?)", (_name(table),))
        columns: dict[str, Kind] = {"seq": "int"} if table in _NUMBERED_BY_ROW else {}
        columns |= {name: _KINDS[type_.lower()] for name, type_ in found if (table, name) not in _OWN}
        if table == "store_items":
            columns["key"] = "bytes"
        return columns

    def tally(self, table: str, columns: Columns) -> Tally:
        """See `End`."""
        lengths = [
            f"coalesce(length(cast({name} as blob)), 0)" for name in columns if columns[name] in ("text", "bytes")
        ]
        numbers = [
            f"coalesce({_expression(table, name)}, 0) % {MODULUS}"
            for name, kind in columns.items()
            if kind in ("int", "flag") and (table, name) not in QUEUE_TIMES
        ]
        sums = ", ".join(f"coalesce(sum({' + '.join(parts) or 0}), 0)" for parts in (lengths, numbers))
        found = self.connection(table).execute(f"select count(*), {sums} from {_name(table)}").fetchone()
        return Tally(*found)

    def rows(
        self, table: str, columns: Columns, after: Row | None = None, *, shift: int = 0, where: str = ""
    ) -> Iterator[Row]:
        """See `Source`."""
        keys = [_expression(table, name) for name in MOVED[table]]
        order = ", ".join(keys)
        conditions = [where] if where else []
        if after is not None:
            conditions.append(f"({order}) > ({', '.join('?' * len(keys))})")
        given = f"where {' and '.join(conditions)}" if conditions else ""
        selected = ", ".join(_selected(table, name, kind, shift) for name, kind in columns.items())
        query = f"select {selected} from {_name(table)} {given} order by {order}"
        yield from self.connection(table).execute(query, after or ())

    def last(self, table: str) -> Row | None:
        """See `Target`."""
        keys = [_expression(table, name) for name in MOVED[table]]
        order = ", ".join(f"{key} desc" for key in keys)
        found: Row | None = (
            self.connection(table)
            .execute(f"select {', '.join(keys)} from {_name(table)} order by {order} limit 1")
            .fetchone()
        )
        return found

    def insertion(self, table: str, columns: Columns) -> str:
        """The statement that adds a row."""
        names = ", ".join("rowid" if name == "seq" and table in _NUMBERED_BY_ROW else name for name in columns)
        values = ", ".join(_given(table, name, kind) for name, kind in columns.items())
        return f"insert into {_name(table)} ({names}) values ({values})"

    def clock(self) -> int:
        """That of the queue as the database has it, or as its next server will note it."""
        boot = boot_name()
        row = boot and self._connections["main"].execute("select ahead from clock where boot = ?", (boot,)).fetchone()
        return since_boot() + int(row[0]) if row else now()


def _name(table: str) -> str:
    return "items" if table == "store_items" else table


def _expression(table: str, column: str) -> str:
    if column == "seq" and table in _NUMBERED_BY_ROW:
        return "rowid"
    return _READ.get((table, column), column)


def _given(table: str, column: str, kind: Kind) -> str:
    """JSON is without spaces here: parts of it are looked for as text."""
    if (table, column) == ("store_items", "key"):
        return "cast(? as text)"
    return "json(?)" if kind == "json" else "?"


def _selected(table: str, column: str, kind: Kind, shift: int) -> str:
    """Of its kind, whatever was written: SQLite keeps bytes in a column for text."""
    expression = _expression(table, column)
    if shift and (table, column) in QUEUE_TIMES:
        return f"{expression} + {shift}"
    if kind in ("text", "json"):
        return f"cast({expression} as text)"
    return f"cast({expression} as blob)" if kind == "bytes" else expression
