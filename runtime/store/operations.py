"""Between LangGraph's operations on a store and the storage's."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import orjson
from langgraph.store.base import GetOp, Item, ListNamespacesOp, Op, PutOp, Result, SearchItem, SearchOp

from runyard.runtime.storage.port.store import (
    GetItem,
    ListNamespaces,
    Namespace,
    PutItem,
    SearchItems,
    StoredItem,
    StoreOperation,
    StoreResult,
    namespace_fault,
)


def stored_operation(op: Op) -> StoreOperation:
    """What storage is asked for. Raises ValueError for a namespace that cannot be, TypeError for a value that JSON
    cannot hold."""
    match op:
        case GetOp(namespace, key, refresh_ttl):
            return GetItem(namespace=_checked(namespace), key=key, refresh=refresh_ttl)
        case PutOp(namespace, key, value, index, ttl):
            return PutItem(
                namespace=_checked(namespace),
                key=key,
                value=None if value is None else orjson.dumps(dict(value)),
                ttl=ttl,
                fields=() if index is False else index,
            )
        case SearchOp():
            return SearchItems(
                prefix=_checked(op.namespace_prefix),
                filter=op.filter,
                limit=op.limit,
                offset=op.offset,
                refresh=op.refresh_ttl,
                query=op.query,
            )
        case ListNamespacesOp():
            conditions = op.match_conditions or ()
            return ListNamespaces(
                prefixes=[_checked(each.path) for each in conditions if each.match_type == "prefix"],
                suffixes=[_checked(each.path) for each in conditions if each.match_type == "suffix"],
                max_depth=op.max_depth,
                limit=op.limit,
                offset=op.offset,
            )
    raise ValueError(f"{type(op).__name__} is no operation of a store")


def result(op: Op, found: StoreResult) -> Result:
    """What LangGraph is answered."""
    if isinstance(found, StoredItem):
        return Item(**_fields(found))
    if isinstance(op, SearchOp) and isinstance(found, list):
        return [SearchItem(**_fields(item), score=item.score) for item in found if isinstance(item, StoredItem)]
    return cast("Result", found)


def _fields(item: StoredItem) -> dict[str, Any]:
    return {
        "namespace": item.namespace,
        "key": item.key,
        "value": orjson.loads(item.value),
        "created_at": datetime.fromisoformat(item.created_at),
        "updated_at": datetime.fromisoformat(item.updated_at),
    }


def _checked(namespace: tuple[str, ...]) -> Namespace:
    if fault := namespace_fault(namespace):
        raise ValueError(fault)
    return tuple(namespace)
