"""Copying threads, on SQLite: read from one state of the database, and written in pages of a transaction each.

Until the last page there is no thread, only rows that are noted as what is left of one: they are removed if the copy
does not come to its end.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

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
from runyard.runtime.storage.sqlite.database.connection import Connection, now
from runyard.runtime.storage.sqlite.database.database import Database

PAGE_ROWS = 200
PAGE_BYTES = 1_000_000
"""What one transaction writes, at the most; of large values a single one."""
ABANDONED_AFTER = 60_000_000
"""Microseconds after its last page from which on a copy counts as given up."""

_UNDER_WAY = "(select run_id from runs where thread_id = :source and queue is not null)"
_FINISHED = f"where thread_id = :source and (run_id is null or run_id not in {_UNDER_WAY})"
_ROWS = {
    "checkpoint_blobs": f"select * from checkpoint_blobs {_FINISHED}",
    "checkpoint_writes": f"select * from checkpoint_writes {_FINISHED} union all "
    "select thread_id, ns, checkpoint_id, task_id, idx, written_by, channel, type, data, task_path "
    f"from replaced_writes where thread_id = :source and run_id in {_UNDER_WAY}",
    "checkpoints": f"select * from checkpoints {_FINISHED}",
}
"""What is copied of each table, in this order."""

Page = list[tuple[str, tuple[Any, ...]]]
"""Rows, each with its table; their first column is the thread's id."""


def copy_thread(
    reader: Connection,
    database: Database,
    sql: Queries,
    scope: Scope,
    source: str,
    target: str,
    expiry: Expiry | None,
    metadata: Mapping[str, Any],
    key: IdempotencyKey | None,
) -> bool:
    """Copies a thread without its runs: it is as the source was before those that are under way, with `metadata` in
    its own. False when there is no such thread. Raises KeyTaken. Blocks; called in a pool thread, whose connection
    `reader` is."""
    with _one_state(reader):
        thread = fetch_dict(reader, sql["thread"], (source,))
        if thread is None or not shows_thread(reader, scope, source):
            return False
        pages = _pages(reader, source)
        page, marked = next(pages, []), False
        for following in pages:
            database.write_blocking(partial(_write_marked, sql=sql, target=target, page=page, first=not marked))
            page, marked = following, True
    time = now()
    thread |= {
        "thread_id": target,
        "created_at": time,
        "updated_at": time,
        "state_updated_at": time,
        "status": thread["settled"],
        "temporary": 0,
        "kept_at": None,
        "answered": None,
        "metadata": orjson.dumps({**orjson.loads(thread["metadata"]), **metadata}).decode(),
        "creator": scope.identity,
        **expiry_columns(expiry),
    }

    packed = b"" if key is None else pack_thread(thread_from_row({**thread, "state": None, "interrupts": None}))

    def finish(connection: Connection) -> None:
        if marked and not connection.execute(sql["forget_discarded"], (target,)).rowcount:
            raise _given_up()
        _write(connection, target, page)
        columns = ", ".join(thread)
        row = ", ".join(f":{column}" for column in thread)
        connection.execute(f"insert or fail into threads ({columns}) values ({row})", thread)
        if key is not None:
            keep_key(connection, sql, scope, key, packed)

    database.write_blocking(finish)
    return True


def copy_checkpoints(reader: Connection, database: Database, source: str, target: str) -> None:
    """Copies checkpoints, channel values and pending writes of a thread to another one. Blocks, as `copy_thread`."""
    with _one_state(reader):
        for page in _pages(reader, source):
            database.write_blocking(partial(_write, target=target, page=page))


@contextmanager
def _one_state(reader: Connection) -> Iterator[None]:
    reader.execute("begin")
    try:
        yield
    finally:
        reader.execute("commit")


def _pages(reader: Connection, source: str) -> Iterator[Page]:
    """Values before the checkpoints that refer to them. What runs under way have written is half of the next state, and
    no part of the copy; what they have replaced is."""
    page: Page = []
    size = 0
    for table in _ROWS:
        for row in reader.execute(_ROWS[table], {"source": source}):
            page.append((table, row))
            size += sum(len(value) for value in row if isinstance(value, bytes))
            if len(page) == PAGE_ROWS or size >= PAGE_BYTES:
                yield page
                page, size = [], 0
    if page:
        yield page


def _write(connection: Connection, target: str, page: Page) -> None:
    for table, row in page:
        connection.execute(f"insert into {table} values (?{', ?' * (len(row) - 1)})", (target, *row[1:]))


def _write_marked(connection: Connection, sql: Queries, target: str, page: Page, first: bool) -> None:
    if not first and connection.execute(sql["discarded_thread"], (target,)).fetchone() is None:
        raise _given_up()
    connection.execute(sql["note_discarded"], (target, True, now() + ABANDONED_AFTER))
    _write(connection, target, page)


def _given_up() -> Unavailable:
    return Unavailable("copying the thread took so long that it was given up; nothing of it was kept, try again")
