"""The long-term store for clients: the one that graphs have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from runyard.generated.models import StoreDeleteRequest, StoreListNamespacesRequest, StoreSearchRequest
from runyard.runtime.config.project import StoreTtl
from runyard.runtime.errors import BadRequest, Invalid
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.store import (
    GetItem,
    ListNamespaces,
    Namespace,
    PutItem,
    SearchItems,
    StoredItem,
    namespace_fault,
)

LARGEST_VALUE: Final = 8 * 1024 * 1024
"""Bytes of a value that a client may put, as JSON."""
RESERVED: Final = "langgraph"
"""The outermost label that LangGraph keeps for itself."""
DEFAULT_ITEMS: Final = 10
DEFAULT_NAMESPACES: Final = 100


class Store:
    """The service behind the operations on the store, which answers items as JSON."""

    def __init__(self, storage: Storage, ttl: StoreTtl) -> None:
        self._store = storage.store
        self._ttl = ttl

    async def put(self, scope: Scope, given: Mapping[str, Any]) -> None:
        """Keeps an item. Raises BadRequest for a namespace that is empty or LangGraph's, Invalid for labels that cannot
        be and for a value that is too large."""
        namespace = _namespace("namespace", given["namespace"])
        if namespace[0] == RESERVED:
            raise BadRequest(f'Root label for namespace cannot be "{RESERVED}". Got: {namespace}')
        value = orjson.dumps(given["value"])
        if len(value) > LARGEST_VALUE:
            raise Invalid(
                f"value: has {len(value):,} bytes as JSON, and an item may have {LARGEST_VALUE:,}; make several of it"
            )
        index = given.get("index")
        put = PutItem(
            namespace=namespace,
            key=given["key"],
            value=value,
            ttl=given.get("ttl", self._ttl.minutes),
            fields=() if index is False else index,
        )
        await self._store.batch(scope, [put])

    async def get(self, scope: Scope, namespace: Sequence[str] | None, key: str, refresh_ttl: bool | None) -> bytes:
        """The item, or null; the labels of its namespace may be joined by dots. Raises BadRequest for an empty
        namespace, Invalid for labels that cannot be."""
        labels = [label for part in namespace or () for label in part.split(".")]
        get = GetItem(namespace=_namespace("namespace", labels), key=key, refresh=self._refresh(refresh_ttl))
        (found,) = await self._store.batch(scope, [get])
        assert not isinstance(found, list)
        return orjson.dumps(None if found is None else _item(found))

    async def delete(self, scope: Scope, request: StoreDeleteRequest) -> None:
        """Sees to it that there is no such item. Raises as `get` does."""
        namespace = _namespace("namespace", request.namespace or ())
        await self._store.batch(scope, [PutItem(namespace=namespace, key=request.key, value=None)])

    async def search(self, scope: Scope, request: StoreSearchRequest) -> bytes:
        """One page of items. Raises Invalid for labels or a filter that cannot be, Unavailable when it takes too
        long."""
        search = SearchItems(
            prefix=_labels("namespace_prefix", request.namespace_prefix or ()),
            filter=request.filter,
            limit=request.limit or DEFAULT_ITEMS,
            offset=request.offset,
            refresh=self._refresh(request.refresh_ttl),
        )
        (found,) = await self._store.batch(scope, [search])
        assert isinstance(found, list)
        items = [{**_item(item), "score": item.score} for item in found if isinstance(item, StoredItem)]
        return orjson.dumps({"items": items})

    async def namespaces(self, scope: Scope, request: StoreListNamespacesRequest) -> bytes:
        """One page of the namespaces. Raises Invalid for labels that cannot be, Unavailable when it takes too long."""
        wanted = ListNamespaces(
            prefixes=[_labels("prefix", request.prefix or ())],
            suffixes=[_labels("suffix", request.suffix or ())],
            max_depth=request.max_depth,
            limit=request.limit or DEFAULT_NAMESPACES,
            offset=request.offset,
        )
        (found,) = await self._store.batch(scope, [wanted])
        return orjson.dumps({"namespaces": found})

    def _refresh(self, asked: bool | None) -> bool:
        return self._ttl.refresh_on_read if asked is None else asked


def _namespace(place: str, labels: Sequence[str]) -> Namespace:
    if not labels:
        raise BadRequest(f"{place}: Namespace cannot be empty.")
    return _labels(place, labels)


def _labels(place: str, labels: Sequence[str]) -> Namespace:
    if fault := namespace_fault(labels):
        raise Invalid(f"{place}: {fault}")
    return tuple(labels)


def _item(item: StoredItem) -> dict[str, Any]:
    return {
        "namespace": item.namespace,
        "key": item.key,
        "value": orjson.Fragment(item.value),
        "created_at": item.created_at,
        "updated_at": item.updated_at,
    }
