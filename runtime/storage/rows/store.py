"""Between the rows of items of the store, as every backend has them, and what is answered. A namespace is one text
there: its labels joined by dots, which no label has."""

from __future__ import annotations

from typing import Any

import orjson

from runyard.runtime.storage.port.store import Namespace, PutItem, StoredItem, UnindexedItem
from runyard.runtime.storage.rows.rows import iso_time

SEPARATOR = "."
AFTER_SEPARATOR = "/"
"""The next character: what is below `a` lies between `a.` and `a/`."""
ANY = "*"
GRAIN = 0.01
"""The part of its lifetime by which the end of an item must move to be worth a write."""
_MINUTE = 60_000_000


def namespace_text(namespace: Namespace) -> str:
    return SEPARATOR.join(namespace)


def namespace_of(text: str) -> Namespace:
    return tuple(text.split(SEPARATOR))


def expires_at(put: PutItem, time: int) -> int | None:
    """When an item that is put at that time is not there any more; both in microseconds."""
    return None if put.ttl is None else time + int(put.ttl * _MINUTE)


def fields_text(put: PutItem) -> str | None:
    return None if put.fields is None else orjson.dumps(put.fields).decode()


def worth_refreshing(row: dict[str, Any], time: int) -> bool:
    """Whether an item that is read at that time, in microseconds, is to live on from then."""
    if row["ttl_minutes"] is None:
        return False
    lifetime = row["ttl_minutes"] * _MINUTE
    return bool(time + lifetime - row["expires_at"] > lifetime * GRAIN)


def item_from_row(row: dict[str, Any], key: str) -> StoredItem:
    """An item; the row has a score where it was found by what it means."""
    return StoredItem(
        namespace=namespace_of(row["namespace"]),
        key=key,
        value=row["value"].encode(),
        created_at=iso_time(row["created_at"]),
        updated_at=iso_time(row["updated_at"]),
        score=row.get("score"),
    )


def unindexed_from_row(row: dict[str, Any]) -> UnindexedItem:
    return UnindexedItem(
        number=row["id"],
        state=row["updated_at"],
        value=row["value"].encode(),
        fields=None if row["fields"] is None else orjson.loads(row["fields"]),
    )
