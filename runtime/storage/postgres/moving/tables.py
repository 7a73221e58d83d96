"""The tables that are moved, as Postgres has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from runyard.runtime.storage.moved_tables import MOVED, QUEUE_TIMES
from runyard.runtime.storage.port.moving import MODULUS, Columns, Kind, Row, Tally
from runyard.runtime.storage.postgres.database.connection import CLOCK, Connection
from runyard.runtime.storage.sql.fetching import one

LONGEST_STEP: Final = 7 * 86_400.0
"""Seconds for a statement that goes through a table, and for an import as a whole."""

_KINDS: Final[Mapping[str, Kind]] = {
    "text": "text",
    "jsonb": "json",
    "bytea": "bytes",
    "bigint": "int",
    "integer": "int",
    "smallint": "int",
    "boolean": "flag",
    "double precision": "float",
}
OWN: Final = {("store_items", "digest"), ("store_items", "indexed"), ("deliveries", "sender")}
"""What other backends do not have, and `Target` makes; items are indexed anew, and no server has claimed calls."""


def columns_of(connection: Connection, table: str) -> Columns:
    """See `End`."""
    found = connection.execute(
        "select attname::text, format_type(atttypid, null) from pg_attribute "
        "where attrelid = %s::regclass and attnum > 0 and not attisdropped and attgenerated = '' order by attnum",
        (table,),
    ).fetchall()
    return {name: _KINDS[type_] for name, type_ in found if (table, name) not in OWN}


def tally_of(connection: Connection, table: str, columns: Columns) -> Tally:
    """See `End`."""
    lengths = [f"coalesce(octet_length({name}), 0)" for name, kind in columns.items() if kind in ("text", "bytes")]
    numbers = [
        f"coalesce({name}{'::int' if kind == 'flag' else ''}, 0) %% {MODULUS}"
        for name, kind in columns.items()
        if kind in ("int", "flag") and (table, name) not in QUEUE_TIMES
    ]
    sums = ", ".join(
        f"coalesce(sum({' + '.join(f'({part})::bigint' for part in parts) or 0}), 0)::bigint"
        for parts in (lengths, numbers)
    )
    return Tally(*one(connection, f"select count(*), {sums} from {table}"))


def rows_of(connection: Connection, table: str, columns: Columns, after: Row | None, shift: int) -> Iterator[Row]:
    """See `Source`."""
    order = ", ".join(MOVED[table])
    where = "" if after is None else f"where ({order}) > ({', '.join(['%s'] * len(after))})"
    selected = ", ".join(_selected(table, name, kind, shift) for name, kind in columns.items())
    yield from connection.stream(f"select {selected} from {table} {where} order by {order}", after or ())


def last_of(connection: Connection, table: str) -> Row | None:
    """See `Target`."""
    keys = MOVED[table]
    order = ", ".join(f"{key} desc" for key in keys)
    return connection.execute(f"select {', '.join(keys)} from {table} order by {order} limit 1").fetchone()


def sequences_of(connection: Connection) -> dict[str, str]:
    """By table, the sequence that its numbers come from."""
    found = connection.execute(
        "select relname::text, pg_get_serial_sequence(pg_class.oid::regclass::text, attname::text) "
        "from pg_attribute join pg_class on attrelid = pg_class.oid "
        "where attidentity <> '' and pg_class.oid = any(%s::regclass[])",
        (list(MOVED),),
    )
    return dict(found.fetchall())


def read_clock(connection: Connection) -> int:
    """Microseconds since 1970."""
    (time,) = one(connection, CLOCK)
    return int(time)


def _selected(table: str, column: str, kind: Kind, shift: int) -> str:
    if kind == "json":
        return f"{column}::text"
    return f"{column} + {shift}" if shift and (table, column) in QUEUE_TIMES else column
