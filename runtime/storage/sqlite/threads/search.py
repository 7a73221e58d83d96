"""Finding threads, on SQLite, without looking at all of them.

A search is led by the narrowest thing that was asked for: ids, a text or a number in the metadata, a text in a list of
it (`thread_tags`), a status. What that gives is tested for the rest and sorted. When nothing is narrow, threads are
walked in the order that was asked for, and a page is full after a few. Only where conditions are each common and
together rare, or where a count or the values of threads are asked for, many have to be looked at.

Temporary threads are found too while they are there, in a walk of their own. The queries are put together here,
from what was asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final

import orjson

from runyard.generated.models import Thread, ThreadCountRequest, ThreadSearchRequest
from runyard.runtime.scope import Scope
from runyard.runtime.storage.rows.rows import thread_from_row
from runyard.runtime.storage.sql.fetching import fetch_dict
from runyard.runtime.storage.sqlite.conditions import SqliteConditions
from runyard.runtime.storage.sqlite.database.connection import Connection
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
class Source:
    """Where the rows come from; `rows` is about how many there are, at most `NARROW`."""

    tables: str
    parameters: tuple[Any, ...] = ()
    rows: int = NARROW
    by_status: bool = False


TEMPORARY: Final = Source("threads indexed by thread_temporary")


def search_threads(
    connection: Connection, scope: Scope, request: ThreadSearchRequest, *, limit: int, offset: int
) -> list[Thread]:
    direction = request.sort_order or "desc"
    column = request.sort_by or "created_at"
    keys = _KEYS.get(column, f"{column}, thread_id").split(", ")
    order = ", ".join(f"threads.{key} {direction}" for key in keys)
    narrowest = _narrowest(connection, scope, request)
    if narrowest.rows >= NARROW:
        # SQLite would rather sort everything than walk along the ids.
        by_id = " indexed by sqlite_autoindex_threads_1" if column == "thread_id" else ""
        narrowest = Source(f"threads{by_id}", by_status=column == "created_at")
    found: list[tuple[Any, ...]] = []
    selected = ", ".join(f"threads.{key}" for key in keys)
    for source, where in ((narrowest, _kept(scope, request, narrowest)), (TEMPORARY, _temporary(scope, request))):
        sql = f"select {selected} from {source.tables} {where} order by {order} limit ?"
        found += connection.execute(sql, (*source.parameters, *where.parameters, offset + limit))
    found.sort(reverse=direction == "desc")
    shows_values = request.select is None or "values" in request.select or bool(request.extract)
    sql = f"select {'*' if shows_values else _WITHOUT_VALUES} from threads where thread_id = ?"
    rows = (fetch_dict(connection, sql, (thread_id,)) for *_, thread_id in found[offset : offset + limit])
    return [thread_from_row(row) for row in rows if row is not None]


def count_threads(connection: Connection, scope: Scope, request: ThreadCountRequest) -> int:
    narrowest = _narrowest(connection, scope, request)
    total = 0
    for source, where in ((narrowest, _kept(scope, request, narrowest)), (TEMPORARY, _temporary(scope, request))):
        sql = f"select count(*) from {source.tables} {where}"
        total += connection.execute(sql, (*source.parameters, *where.parameters)).fetchone()[0]
    return total


def _kept(scope: Scope, request: Request, source: Source) -> SqliteConditions:
    where = SqliteConditions("not threads.temporary")
    where.within(scope, "threads.metadata")
    # A plus keeps SQLite from taking the index of the status where another one is meant.
    where.equal("threads.status" if source.by_status else "+threads.status", request.status)
    where.containing("threads.metadata", request.metadata)
    where.excluding("threads.metadata", request.exclude_metadata)
    where.containing("threads.state", request.values)
    return where


def _temporary(scope: Scope, request: Request) -> SqliteConditions:
    where = SqliteConditions("threads.temporary")
    where.within(scope, "threads.metadata")
    where.among("threads.thread_id", _ids(request))
    where.equal("+threads.status", request.status)
    where.containing("threads.metadata", request.metadata)
    where.excluding("threads.metadata", request.exclude_metadata)
    where.containing("threads.state", request.values)
    return where


def _narrowest(connection: Connection, scope: Scope, request: Request) -> Source:
    return min(_sources(connection, scope, request), key=lambda source: source.rows)


def _sources(connection: Connection, scope: Scope, request: Request) -> Iterator[Source]:
    ids = _ids(request)
    if ids is not None:
        wanted = "(select distinct value from json_each(?)) as wanted"
        yield Source(
            f"{wanted} cross join threads on threads.thread_id = wanted.value", (orjson.dumps(ids).decode(),), rows=0
        )
        return
    asked = chain(equalities(scope), listed_items(scope), (request.metadata or {}).items())
    for key, value in islice(asked, MOST_SOURCES):
        tag = _tag(value)
        if tag is not None:
            sql = "select count(*) from (select 1 from thread_tags where key = ? and value in (?, ?) limit ?)"
            (rows,) = connection.execute(sql, (key, *tag, NARROW)).fetchone()
            tags = "(select thread_id from thread_tags where key = ? and value in (?, ?)) as tags"
            yield Source(f"{tags} cross join threads using (thread_id)", (key, *tag), rows=rows)
    if request.status is not None:
        sql = "select count(*) from (select 1 from threads where status = ? and not temporary limit ?)"
        (rows,) = connection.execute(sql, (request.status, NARROW)).fetchone()
        yield Source("threads indexed by thread_status", rows=rows, by_status=True)
    yield Source("threads")


def _tag(value: Any) -> tuple[str, str] | None:
    """The two ways in which a value is written in `thread_tags`; None when it is not there."""
    if isinstance(value, str):
        return value, value
    if type(value) is int and abs(value) < 2**53:
        return str(value), f"{value}.0"  # JSON has one kind of number
    return None


def _ids(request: Request) -> list[str] | None:
    """Without an id in the list there is nothing to filter by (observed; clients leave the list out then)."""
    return (isinstance(request, ThreadSearchRequest) and request.ids) or None
