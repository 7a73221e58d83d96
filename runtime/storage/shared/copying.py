"""Copying threads, on every backend: read from one state of the database, and written in pages of a transaction each.

Until the last page there is no thread, only rows that are noted as what is left of one: they are removed if the copy
does not come to its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, TypeVar

import orjson

from runyard.runtime.errors import Unavailable
from runyard.runtime.scope import Scope
from runyard.runtime.storage.kept_answers import pack_thread
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.rows.rows import expiry_columns, thread_from_row
from runyard.runtime.storage.shared.scoping import shows_thread
from runyard.runtime.storage.shared.used_keys import keep_key
from runyard.runtime.storage.sql.fetching import fetch_dict
from runyard.runtime.storage.sql.queries import Queries
from runyard.runtime.storage.sql.statements import Database, Statements

C = TypeVar("C", bound=Statements)

PAGE_ROWS = 200
PAGE_BYTES = 1_000_000
"""What one transaction writes, at the most; of large values a single one."""
ABANDONED_AFTER = 60_000_000
"""Microseconds after its last page from which on a copy counts as given up."""

COPIED: Final = {
    "checkpoint_blobs": "copied_blobs",
    "checkpoint_writes": "copied_writes",
    "checkpoints": "copied_checkpoints",
}
"""Tables, with the statements that find what is copied of each: values before the checkpoints that refer to them."""

Page = list[tuple[str, tuple[Any, ...]]]
"""Rows, each with its table; their first column is the thread's id."""


def copy_thread(
    reader: C,
    database: Database[C],
    sql: Queries,
    scope: Scope,
    source: str,
    target: str,
    expiry: Expiry | None,
    metadata: Mapping[str, Any],
    key: IdempotencyKey | None,
) -> bool:
    """Copies a thread without its runs: it is as the source was before those that are under way, with `metadata` in
    its own. False when there is no such thread. Raises KeyTaken. Blocks; called by `Database.copying`, whose connection
    `reader` is."""
    thread = fetch_dict(reader, sql["thread"], (source,))
    if thread is None or not shows_thread(reader, scope, source):
        return False
    pages = _pages(reader, sql, source)
    page, marked = next(pages, []), False
    for following in pages:
        step = partial(_write_marked, sql=sql, target=target, page=page, first=not marked)
        database.write_blocking(step, locks=[target])
        page, marked = following, True
    time = reader.now
    thread |= {
        "thread_id": target,
        "created_at": time,
        "updated_at": time,
        "state_updated_at": time,
        "status": thread["settled"],
        "temporary": False,
        "kept_at": None,
        "answered": None,
        "metadata": orjson.dumps({**orjson.loads(thread["metadata"]), **metadata}).decode(),
        "creator": scope.identity,
        **expiry_columns(expiry),
    }

    packed = b"" if key is None else pack_thread(thread_from_row({**thread, "state": None, "interrupts": None}))

    def finish(connection: C) -> None:
        if marked and not connection.execute(sql["forget_discarded"], (target,)).rowcount:
            raise _given_up()
        _write(connection, target, page)
        marks = ", ".join([connection.conditions.mark] * len(thread))
        connection.execute(f"insert into threads ({', '.join(thread)}) values ({marks})", tuple(thread.values()))
        if key is not None:
            keep_key(connection, sql, scope, key, packed)

    database.write_blocking(finish, locks=[target])
    return True


def copy_checkpoints(reader: C, database: Database[C], sql: Queries, source: str, target: str) -> None:
    """Copies checkpoints, channel values and pending writes of a thread to another one. Blocks, as `copy_thread`."""
    for page in _pages(reader, sql, source):
        database.write_blocking(partial(_write, target=target, page=page), locks=[target])


def _pages(reader: Statements, sql: Queries, source: str) -> Iterator[Page]:
    page: Page = []
    size = 0
    for table, query in COPIED.items():
        for row in reader.stream(sql[query], {"source": source}):
            page.append((table, row))
            size += sum(len(value) for value in row if isinstance(value, bytes))
            if len(page) == PAGE_ROWS or size >= PAGE_BYTES:
                yield page
                page, size = [], 0
    if page:
        yield page


def _write(connection: Statements, target: str, page: Page) -> None:
    for table, rows in groupby(page, key=itemgetter(0)):
        connection.insert_whole(table, ((target, *row[1:]) for _, row in rows))


def _write_marked(connection: Statements, sql: Queries, target: str, page: Page, first: bool) -> None:
    if not first and connection.execute(sql["discarded_thread"], (target,)).fetchone() is None:
        raise _given_up()
    connection.execute(sql["note_discarded"], (target, True, connection.now + ABANDONED_AFTER))
    _write(connection, target, page)


def _given_up() -> Unavailable:
    return Unavailable("copying the thread took so long that it was given up; nothing of it was kept, try again")
