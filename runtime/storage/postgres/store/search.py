"""Searching the store, on Postgres. Only the items of the page are read."""

from __future__ import annotations

from typing import Any

from runyard.runtime.errors import Invalid
from runyard.runtime.storage.port.store import SearchItems
from runyard.runtime.storage.postgres.conditions import PostgresConditions
from runyard.runtime.storage.postgres.database.connection import Connection
from runyard.runtime.storage.postgres.store.filters import PostgresFilterTerms
from runyard.runtime.storage.postgres.store.namespaces import add_below
from runyard.runtime.storage.postgres.store.vectors import vector_text
from runyard.runtime.storage.shared.store_filters import add_filter
from runyard.runtime.storage.sql.fetching import fetch_dicts

LARGEST_PAGE = 64 * 1024 * 1024
"""Bytes of the values of one page: it is held in memory."""

_NEWEST = """
    with page as materialized (
      select id from {source} {where} order by updated_at desc, id desc limit %s offset %s
    ), measured as (
      select store_items.*, null as score, sum(octet_length(value)) over (order by updated_at desc, id desc) as size
      from page join store_items using (id)
    )
    select * from measured where size - octet_length(value) <= %s order by updated_at desc, id desc
"""
_NEAREST = """
    with near as materialized (
      select id, min(distance) as distance from (
        select found.id, embedding operator({vectors}.<=>) %s::{vectors}.vector as distance
        from {source} join store_vectors on item = found.id {where} offset 0
      ) as compared group by id
    ), page as materialized (
      select id, distance from near where distance <> 'NaN' order by distance, id limit %s offset %s
    ), measured as (
      select store_items.*, 1 - distance as score, sum(octet_length(value)) over (order by distance, id) as size
      from page join store_items using (id)
    )
    select * from measured where size - octet_length(value) <= %s order by score desc, id
"""
"""An item is as near as the nearest of its texts. A vector without a direction is near to nothing. All vectors are
compared, which is exact: an index of them finds what is about the nearest, and not below a namespace or behind a
filter. `offset 0`: distances are grouped, not vectors, which a sort would put on the disk."""
_FILTERED = """
    (select id, updated_at, store_document(value) as document from store_items {where} offset 0) as found
"""
"""`offset 0`: a value is unpacked once, however much is asked of it."""


def search_items(connection: Connection, wanted: SearchItems, vectors: str | None) -> list[dict[str, Any]]:
    """Rows of items, with the column `score`. `vectors`: the schema of the extension for them, if something is `near`.
    Raises Invalid for a filter that cannot be."""
    where = PostgresConditions("(expires_at is null or expires_at > %s)")
    where.parameters.append(connection.now)
    add_below(where, wanted.prefix)
    looked_for: list[str] = []
    page = _NEWEST
    if wanted.near is not None:
        where.equal("indexed", wanted.near.index)
        looked_for = [vector_text(wanted.near.vector)]
        page = _NEAREST
    passing = PostgresConditions()
    add_filter(passing, wanted.filter, PostgresFilterTerms())
    if passing.parameters:
        sql = page.format(source=_FILTERED.format(where=where), where=passing, vectors=vectors)
    else:
        sql = page.format(source="store_items as found", where=where, vectors=vectors)
    limits = (wanted.limit, wanted.offset, LARGEST_PAGE)
    rows = fetch_dicts(connection, sql, (*looked_for, *where.parameters, *passing.parameters, *limits))
    if rows and rows[-1]["size"] > LARGEST_PAGE:
        raise Invalid(
            f"limit: the first {len(rows)} items have more than {LARGEST_PAGE:,} bytes; ask for fewer at once"
        )
    return rows
