"""The long-term store for clients: the one that graphs have."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import orjson

from runyard.generated.models import StoreDeleteRequest, StoreListNamespacesRequest, StoreSearchRequest
from runyard.runtime.config.project import Project, StoreIndex
from runyard.runtime.errors import BadRequest, Invalid, Unavailable
from runyard.runtime.scope import Scope
from runyard.runtime.services.store_views import item_fields, page_of_items
from runyard.runtime.services.viewer import Viewer
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.store import (
    Embedded,
    GetItem,
    ListNamespaces,
    Namespace,
    PutItem,
    SearchItems,
    namespace_fault,
)

LARGEST_VALUE: Final = 8 * 1024 * 1024
"""Bytes of a value that a client may put, as JSON."""
RESERVED: Final = "langgraph"
"""The outermost label that LangGraph keeps for itself."""
VIEWS_AT_ONCE: Final = 4
"""Requests that the viewer makes vectors for at once: it has threads left to look at states when that takes long."""
LONGEST_WAIT: Final = 30.0
"""Seconds that a request waits for its turn."""
DEFAULT_ITEMS: Final = 10
DEFAULT_NAMESPACES: Final = 100


class IndexingStep(NamedTuple):
    """wanted: the index, if the project has one. left: how many items were not in it before the step."""

    wanted: StoreIndex | None
    left: int


class Store:
    """The service behind the operations on the store, which answers items as JSON. Where items are found by what they
    mean, the viewer puts and searches, since that runs user code."""

    def __init__(self, storage: Storage, project: Project, viewer: Viewer) -> None:
        self._store = storage.store
        self._viewer = viewer
        self._turns = asyncio.Semaphore(VIEWS_AT_ONCE)
        self.serve(project)

    def serve(self, project: Project) -> None:
        """Serves a project that has changed, from now on."""
        self._ttl = project.store_ttl
        self._index = project.store_index

    async def put(self, scope: Scope, given: Mapping[str, Any]) -> None:
        """Keeps an item. Raises BadRequest for a namespace that is empty or LangGraph's, Invalid for labels that cannot
        be and for a value that is too large, Unavailable when it cannot be indexed."""
        namespace = _labels("namespace", given["namespace"])
        if not namespace:
            raise BadRequest("namespace: Namespace cannot be empty.")
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
        if self._index is None:
            await self._store.batch(scope, [put])
        elif put.fields is not None and not put.fields:
            nothing = Embedded(index=self._index.name, vectors=())
            await self._store.batch(scope, [replace(put, embedded=nothing)])
        else:
            await self._ask("put_item", scope, put)

    async def get(self, scope: Scope, namespace: Sequence[str] | None, key: str, refresh_ttl: bool | None) -> bytes:
        """The item, or null. Raises Invalid for labels that cannot be."""
        get = GetItem(namespace=_labels("namespace", namespace or ()), key=key, refresh=self._refresh(refresh_ttl))
        (found,) = await self._store.batch(scope, [get])
        assert not isinstance(found, list)
        return orjson.dumps(None if found is None else item_fields(found))

    async def delete(self, scope: Scope, request: StoreDeleteRequest) -> None:
        """Sees to it that there is no such item. Raises as `get` does."""
        namespace = _labels("namespace", request.namespace or ())
        await self._store.batch(scope, [PutItem(namespace=namespace, key=request.key, value=None)])

    async def search(self, scope: Scope, request: StoreSearchRequest) -> bytes:
        """One page of items. Raises Invalid for labels or a filter that cannot be, Unavailable when it takes too long,
        or what is looked for cannot be made a vector."""
        search = SearchItems(
            prefix=_labels("namespace_prefix", request.namespace_prefix or ()),
            filter=request.filter,
            limit=request.limit or DEFAULT_ITEMS,
            offset=request.offset,
            refresh=self._refresh(request.refresh_ttl),
            query=request.query,
        )
        if self._index is not None and search.query:
            return await self._ask("search_items", scope, search)
        (found,) = await self._store.batch(scope, [search])
        return page_of_items(found)

    async def namespaces(self, scope: Scope, request: StoreListNamespacesRequest, below: Sequence[str] = ()) -> bytes:
        """One page of the namespaces that are `below`, whose labels are no patterns. Raises Invalid for labels that
        cannot be, Unavailable when it takes too long."""
        wanted = ListNamespaces(
            below=_labels("prefix", below),
            prefixes=[_labels("prefix", request.prefix or ())],
            suffixes=[_labels("suffix", request.suffix or ())],
            max_depth=request.max_depth,
            limit=request.limit or DEFAULT_NAMESPACES,
            offset=request.offset,
        )
        (found,) = await self._store.batch(scope, [wanted])
        return orjson.dumps({"namespaces": found})

    async def index_more(self, limit: int) -> IndexingStep:
        """Puts up to so many items into the index that are not in it, for it was another, or there was none, when they
        were put. Raises Unavailable when the user's code fails."""
        if self._index is None:
            return IndexingStep(None, 0)
        left = await self._store.count_unindexed(self._index.name)
        if left:
            await self._ask("index_items", limit)
        return IndexingStep(self._index, left)

    async def _ask(self, view: str, *arguments: Any) -> bytes:
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await self._turns.acquire()
        except TimeoutError:
            raise Unavailable(
                f"The turn of this request has not come within {LONGEST_WAIT:g} s: so many others wait for vectors of "
                "their texts. Look at how long store.index.embed takes, or put and look for fewer items at once."
            ) from None
        try:
            return await self._viewer.ask(view, *arguments)
        finally:
            self._turns.release()

    def _refresh(self, asked: bool | None) -> bool:
        return self._ttl.refresh_on_read if asked is None else asked


def _labels(place: str, labels: Sequence[str]) -> Namespace:
    if fault := namespace_fault(labels):
        raise Invalid(f"{place}: {fault}")
    return tuple(labels)
