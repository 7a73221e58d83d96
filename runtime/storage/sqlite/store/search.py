"""Searching the store, on SQLite. Items are found by an index that has all that orders them, or by their vectors one
by one; only those of the page are read."""

from __future__ import annotations

from typing import Any

from runyard.runtime.errors import Invalid
from runyard.runtime.storage.port.store import Namespace, SearchItems
from runyard.runtime.storage.shared.store_filters import add_filter
from runyard.runtime.storage.sqlite.conditions import SqliteConditions
from runyard.runtime.storage.sqlite.database.connection import Connection
from runyard.runtime.storage.sqlite.store.filters import SqliteFilterTerms
from runyard.runtime.storage.sqlite.store.namespaces import add_below

LARGEST_PAGE = 64 * 1024 * 1024
"""Characters of the values of one page: it is held in memory."""

FEW = 5_000
"""Items up to which it is quicker to go from one to the next by an index than through the tables."""


def search_items(connection: Connection, wanted: SearchItems, now: int) -> list[dict[str, Any]]:
    """Rows of items, with the column `score`. Raises Invalid for a filter that cannot be."""
    where = SqliteConditions("(expires_at is null or expires_at > ?)")
    where.parameters.append(now)
    add_below(where, wanted.prefix)
    add_filter(where, wanted.filter, SqliteFilterTerms())
    page = (wanted.limit, wanted.offset)
    if wanted.near is None:
        sql = f"""
            with page as materialized (
              select id from items {where} order by updated_at desc, id desc limit ? offset ?
            )
            select items.*, null as score from page join items using (id) order by updated_at desc, id desc
        """
        return _rows(connection, sql, (*where.parameters, *page))
    where.add("+indexed = ?", wanted.near.index)  # the sign: not by the index of that column
    # Few items are found by their namespace; of many, all are looked at in the order of the tables.
    few = wanted.prefix and _are_few(connection, wanted.prefix)
    source, grouped = ("items", "+items.id") if few else ("items not indexed", "items.id")
    # An item is as near as the nearest of its texts. A vector without a direction is near to nothing.
    sql = f"""
        with page as materialized (
          select items.id as id, min(vec_distance_cosine(embedding, ?)) as distance
          from {source} cross join vectors on item = items.id {where}
          group by {grouped} having distance is not null order by distance, items.id limit ? offset ?
        )
        select items.*, 1 - distance as score from page join items using (id) order by distance, id
    """
    return _rows(connection, sql, (wanted.near.vector, *where.parameters, *page))


def _are_few(connection: Connection, prefix: Namespace) -> bool:
    where = SqliteConditions()
    add_below(where, prefix)
    sql = f"select count(*) from (select 1 from items {where} limit ?)"
    (found,) = connection.execute(sql, (*where.parameters, FEW + 1)).fetchone()
    return bool(found <= FEW)


def _rows(connection: Connection, sql: str, parameters: tuple[Any, ...]) -> list[dict[str, Any]]:
    cursor = connection.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    rows: list[dict[str, Any]] = []
    size = 0
    for row in cursor:
        rows.append(dict(zip(names, row, strict=True)))
        size += len(rows[-1]["value"])
        if size > LARGEST_PAGE:
            raise Invalid(
                f"limit: the first {len(rows)} items have more than {LARGEST_PAGE:,} characters; ask for fewer at once"
            )
    return rows
