"""Encrypted values, on SQLite: whether there are any, and how they are encrypted anew. The statements are put together
from the columns that there are."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from runyard.runtime.errors import ConfigError
from runyard.runtime.storage.port.sealed import Noun, Replacement
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.database.database import Database
from runyard.runtime.storage.sqlite.store.items import SqliteStoreItems
from runyard.runtime.storage.time_slice import TimeSlice

SCHEMA: Final = 25
"""The earliest schema whose servers know of encrypted values."""

_TABLES: Final[dict[Noun, tuple[tuple[str, ...], str]]] = {
    "thread": (("threads",), "thread_id = ?"),
    "run": (("runs",), "run_id = ?"),
    "removed_item": (("removed_items",), "batch_id = ? and batch_index = ?"),
    "assistant": (("assistants", "assistant_versions"), "assistant_id = ?"),
    "cron": (("crons",), "cron_id = ?"),
    "batch": (("batches",), "batch_id = ?"),
    "checkpoint": (("checkpoints",), "thread_id = ? and ns = ? and checkpoint_id = ?"),
    "blob": (("checkpoint_blobs",), "thread_id = ? and ns = ? and channel = ?"),
    "write": (("checkpoint_writes",), "thread_id = ? and ns = ? and checkpoint_id = ? and task_id = ?"),
    "events": (("thread_events",), "run_id = ?"),
    "item": (("items",), "namespace = ? and key = ?"),
}
"""Where the values of a noun stand, and what its key names of that."""


def check_encryption(database: Database, sql: Queries, *, encrypted: bool) -> None:
    """Notes that there are encrypted values from now on. Raises ConfigError when there are some and nobody can read
    them."""

    def mark(connection: Connection) -> None:
        if connection.execute(sql["mark_encrypted"], {"now": now()}).rowcount:
            connection.execute(sql["raise_oldest_reader"], {"version": SCHEMA})

    if database.read_here(lambda connection: connection.execute(sql["encrypted_since"]).fetchone()) is None:
        if encrypted:
            database.write_blocking(mark)
    elif not encrypted:
        raise ConfigError(
            f"{database.path.parent}: what it holds is encrypted, and langgraph.json names no encryption that could "
            "read it; name the project's encryption, or choose another directory with --data"
        )


def has_encrypted(path: Path) -> bool:
    """Whether the database at `path`, which is only read and need not exist, has encrypted values."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        if not connection.execute("select 1 from sqlite_schema where name = 'encryption'").fetchone():
            return False
        return connection.execute("select 1 from encryption").fetchone() is not None


class SqliteSealed:
    """See `SealedStorage`."""

    def __init__(self, database: Database, store: SqliteStoreItems, queries: Queries) -> None:
        self._database = database
        self._sql = queries
        self._store = store

    async def replace(self, replacements: Sequence[Replacement]) -> None:
        own = [each for each in replacements if each.place.noun != "item"]
        items = [each for each in replacements if each.place.noun == "item"]
        for write, left in ((self._database.write, own), (self._store.write, items)):
            left.reverse()
            while left:
                await write(partial(_replace_some, self._sql, left))


def _replace_some(sql: Queries, left: list[Replacement], connection: Connection) -> None:
    """Those at the end of the list, for a slice of time."""
    time_slice = TimeSlice()
    while left:
        each = left.pop()
        tables, where = _TABLES[each.place.noun]
        column = each.place.column
        for table in tables:
            if isinstance(each.old, bytes):
                statement = f"update {table} set {column} = ? where {where} and {column} = ?"
                connection.execute(statement, (each.new, *each.place.key, each.old))
                continue
            text = f"replace(cast({column} as text), ?, ?)"
            statement = (
                f"update {table} set {column} = "
                f"case typeof({column}) when 'blob' then cast({text} as blob) else {text} end "
                f"where {where} and instr(cast({column} as text), ?)"
            )
            changed = (each.old, each.new)
            connection.execute(statement, (*changed, *changed, *each.place.key, each.old))
        if (each.place.noun, column) == ("thread", "state"):
            connection.execute(sql["share_answer_again"], {"thread_id": each.place.key[0], "old": each.old})
        if time_slice.over:
            break
