"""Finding threads, on every backend, without looking at all of them.

A search is led by the narrowest thing that was asked for: ids, a text or a number in the metadata, a text in a list of
it (`thread_tags`), a status. What that gives is tested for the rest and sorted. When nothing is narrow, threads are
walked in the order that was asked for, and a page is full after a few. Only where conditions are each common and
together rare, or where a count or the values of threads are asked for, many have to be looked at.

Temporary threads are found too while they are there, in a walk of their own. The queries are put together here,
from what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final

from runyard.generated.models import Thread, ThreadCountRequest, ThreadSearchRequest
from runyard.runtime.scope import Scope
from runyard.runtime.storage.rows.rows import thread_from_row
from runyard.runtime.storage.sql.conditions import Conditions
from runyard.runtime.storage.sql.fetching import fetch_dict, one
from runyard.runtime.storage.sql.statements import Statements
from runyard.runtime.storage.thread_tags import equalities, listed_items

NARROW: Final = 2_000
"""Rows up to which it is quicker to sort all matches than to walk along an order."""

MOST_SOURCES: Final = 20
"""Keys of metadata that are looked at to find the narrowest."""

_WITHOUT_VALUES: Final = (
    "thread_id, created_at, updated_at, state_updated_at, status, metadata, graph_id, interrupts, error, "
    "ttl_strategy, ttl_minutes, null as state"
)
# Orders that an index has, with the thread's id for those that are equal.
_KEYS: Final = {"thread_id": "thread_id", "status": "status, created_at, thread_id"}

Request = ThreadSearchRequest | ThreadCountRequest


@dataclass(frozen=True, slots=True)
class ThreadTables:
    """How a backend reads `threads` where it has to be told what leads there.

    by_id, by_status, temporary: the table, to be walked along the ids or a status, or for temporary threads.
    with_ids, with_tag: the table, joined with the ids of a list, or with what has a key and one of two values.
    status, values: the columns; `status` where another index is to be used than that of it.
    longest_tag: bytes of key and value above which `thread_tags` does not have them; None: it has all.
    """

    by_id: str
    by_status: str
    temporary: str
    with_ids: str
    with_tag: str
    status: str
    values: str
    longest_tag: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where the rows come from; `rows` is about how many there are, at most `NARROW`."""

    tables: str
    parameters: tuple[Any, ...] = ()
    rows: int = NARROW
    by_status: bool = False


def search_threads(
    connection: Statements, tables: ThreadTables, scope: Scope, request: ThreadSearchRequest, *, limit: int, offset: int
) -> list[Thread]:
    direction = request.sort_order or "desc"
    column = request.sort_by or "created_at"
    keys = _KEYS.get(column, f"{column}, thread_id").split(", ")
    order = ", ".join(f"threads.{key} {direction}" for key in keys)
    selected = ", ".join(f"threads.{key}" for key in keys)
    mark = connection.conditions.mark
    narrowest = _narrowest(connection, tables, scope, request)
    if narrowest.rows >= NARROW:
        narrowest = Source(tables.by_id if column == "thread_id" else "threads", by_status=column == "created_at")
    found: list[tuple[Any, ...]] = []
    for source, where in _walks(connection, tables, scope, request, narrowest):
        sql = f"select {selected} from {source.tables} {where} order by {order} limit {mark}"
        found += connection.execute(sql, (*source.parameters, *where.parameters, offset + limit))
    found.sort(reverse=direction == "desc")
    shows_values = request.select is None or "values" in request.select or bool(request.extract)
    sql = f"select {'*' if shows_values else _WITHOUT_VALUES} from threads where thread_id = {mark}"
    rows = (fetch_dict(connection, sql, (thread_id,)) for *_, thread_id in found[offset : offset + limit])
    return [thread_from_row(row) for row in rows if row is not None]


def count_threads(connection: Statements, tables: ThreadTables, scope: Scope, request: ThreadCountRequest) -> int:
    narrowest = _narrowest(connection, tables, scope, request)
    total = 0
    for source, where in _walks(connection, tables, scope, request, narrowest):
        sql = f"select count(*) from {source.tables} {where}"
        total += one(connection, sql, (*source.parameters, *where.parameters))[0]
    return total


def _walks(
    connection: Statements, tables: ThreadTables, scope: Scope, request: Request, narrowest: Source
) -> Iterator[tuple[Source, Conditions]]:
    kept = connection.conditions("not threads.temporary")
    _add_wanted(kept, tables, scope, request, "threads.status" if narrowest.by_status else tables.status)
    yield narrowest, kept
    temporary = connection.conditions("threads.temporary")
    temporary.among("threads.thread_id", _ids(request))
    _add_wanted(temporary, tables, scope, request, tables.status)
    yield Source(tables.temporary), temporary


def _add_wanted(where: Conditions, tables: ThreadTables, scope: Scope, request: Request, status: str) -> None:
    where.within(scope, "threads.metadata")
    where.equal(status, request.status)
    where.containing("threads.metadata", request.metadata)
    where.excluding("threads.metadata", request.exclude_metadata)
    where.containing(tables.values, request.values)


def _narrowest(connection: Statements, tables: ThreadTables, scope: Scope, request: Request) -> Source:
    return min(_sources(connection, tables, scope, request), key=lambda source: source.rows)


def _sources(connection: Statements, tables: ThreadTables, scope: Scope, request: Request) -> Iterator[Source]:
    ids = _ids(request)
    if ids is not None:
        yield Source(tables.with_ids, (connection.conditions.array(ids),), rows=0)
        return
    mark = connection.conditions.mark
    few = f"select count(*) from (select 1 from {{}} limit {mark}) as few"
    asked = chain(equalities(scope), listed_items(scope), (request.metadata or {}).items())
    for key, value in islice(asked, MOST_SOURCES):
        tag = _tag(key, value, tables.longest_tag)
        if tag is not None:
            sql = few.format(f"thread_tags where key = {mark} and value in ({mark}, {mark})")
            (rows,) = one(connection, sql, (key, *tag, NARROW))
            yield Source(tables.with_tag, (key, *tag), rows=rows)
    if request.status is not None:
        sql = few.format(f"threads where status = {mark} and not temporary")
        (rows,) = one(connection, sql, (request.status, NARROW))
        yield Source(tables.by_status, rows=rows, by_status=True)
    yield Source("threads")


def _tag(key: str, value: Any, longest: int | None) -> tuple[str, str] | None:
    """The two ways in which a value is written in `thread_tags`; None when it is not there."""
    if isinstance(value, str):
        is_there = longest is None or len(key.encode()) + len(value.encode()) <= longest
        return (value, value) if is_there else None
    if type(value) is int and abs(value) < 2**53:
        return str(value), f"{value}.0"  # JSON has one kind of number
    return None


def _ids(request: Request) -> list[str] | None:
    """Without an id in the list there is nothing to filter by (observed; clients leave the list out then)."""
    return (isinstance(request, ThreadSearchRequest) and request.ids) or None
