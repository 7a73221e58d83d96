"""Searching the store, on Postgres. Only the items of the page are read."""

from __future__ import annotations

from typing import Any

from runyard.runtime.errors import Invalid
from runyard.runtime.storage.port.store import SearchItems
from runyard.runtime.storage.postgres.conditions import Conditions
from runyard.runtime.storage.postgres.connection import Connection
from runyard.runtime.storage.postgres.rows import fetch_dicts
from runyard.runtime.storage.postgres.store.filters import add_filter
from runyard.runtime.storage.postgres.store.namespaces import add_below

LARGEST_PAGE = 64 * 1024 * 1024
"""Bytes of the values of one page: it is held in memory."""

_PAGE = """
    with page as materialized (
      select id from {source} {where} order by updated_at desc, id desc limit %s offset %s
    ), measured as (
      select store_items.*, sum(octet_length(value)) over (order by updated_at desc, id desc) as size
      from page join store_items using (id)
    )
    select * from measured where size - octet_length(value) <= %s order by updated_at desc, id desc
"""
_FILTERED = """
    (select id, updated_at, store_document(value) as document from store_items {where} offset 0) as documents
"""
"""`offset 0`: a value is unpacked once, however much is asked of it."""


def search_items(connection: Connection, wanted: SearchItems) -> list[dict[str, Any]]:
    """Rows of items. Raises Invalid for a filter that cannot be."""
    where = Conditions("(expires_at is null or expires_at > %s)")
    where.parameters.append(connection.now)
    add_below(where, wanted.prefix)
    passing = Conditions()
    add_filter(passing, wanted.filter)
    if passing.parameters:
        sql = _PAGE.format(source=_FILTERED.format(where=where), where=passing)
    else:
        sql = _PAGE.format(source="store_items", where=where)
    page = (wanted.limit, wanted.offset, LARGEST_PAGE)
    rows = fetch_dicts(connection, sql, (*where.parameters, *passing.parameters, *page))
    if rows and rows[-1]["size"] > LARGEST_PAGE:
        raise Invalid(
            f"limit: the first {len(rows)} items have more than {LARGEST_PAGE:,} bytes; ask for fewer at once"
        )
    return rows
