"""What is done to the store by what items mean, which runs user code; for the same processes and threads as `Views`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from runyard.runtime.errors import RunyardError
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.store import (
    Embedded,
    PutItem,
    SearchItems,
    StoredItem,
    StoreOperation,
    StoreResult,
    StoreStorage,
    UnindexedItem,
)

if TYPE_CHECKING:
    from runyard.runtime.store.index import Index

logger = logging.getLogger(__name__)


class StoreViews:
    """`index`: that of the project; without one nothing is indexed, and a query changes nothing."""

    def __init__(self, store: StoreStorage, index: Index | None) -> None:
        self._store = store
        self._index = index

    async def put_item(self, scope: Scope, put: PutItem) -> bytes:
        """Puts an item, with what it means. Raises Invalid for one with too many texts, Unavailable when the user's
        code fails."""
        await self._batch(scope, put)
        return b"null"

    async def search_items(self, scope: Scope, search: SearchItems) -> bytes:
        """One page of items, as `page_of_items`. Raises as storage does, and Unavailable when the user's code fails."""
        return page_of_items(await self._batch(scope, search))

    async def index_items(self, limit: int) -> bytes:
        """Puts up to so many items into the index that are not in it. Raises Unavailable when the user's code takes
        none of them."""
        if self._index is not None:
            items = await self._store.unindexed(self._index.name, limit)
            try:
                embedded = await self._index.embed([(item.value, item.fields) for item in items])
            except RunyardError as error:
                if len(items) < 2:
                    raise
                embedded = await self._embed_apart(self._index, items, error)
            await self._store.index_items(list(zip(items, embedded, strict=True)))
        return b"null"

    async def _embed_apart(self, index: Index, items: Sequence[UnindexedItem], error: RunyardError) -> list[Embedded]:
        """One after the other: what the user's code does not take must not keep the others out of the index."""
        found: list[Embedded | None] = []
        for item in items:
            try:
                found += await index.embed([(item.value, item.fields)])
            except RunyardError as refusal:
                error = refusal
                found.append(None)
        if not any(found):
            raise error
        refused = found.count(None)
        if refused:
            logger.warning("%s items of the store are not found by what they mean: %s", refused, error.detail)
        return [Embedded(index=index.name, vectors=()) if each is None else each for each in found]

    async def _batch(self, scope: Scope, operation: StoreOperation) -> StoreResult:
        operations: Sequence[StoreOperation] = [operation]
        if self._index is not None:
            operations = await self._index.complete(operations)
        (found,) = await self._store.batch(scope, operations)
        return found


def page_of_items(found: StoreResult) -> bytes:
    """What a search has found, as JSON."""
    assert isinstance(found, list)
    items = [{**item_fields(item), "score": item.score} for item in found if isinstance(item, StoredItem)]
    return orjson.dumps({"items": items})


def item_fields(item: StoredItem) -> dict[str, Any]:
    """An item as the interface shows it, for orjson."""
    return {
        "namespace": item.namespace,
        "key": item.key,
        "value": orjson.Fragment(item.value),
        "created_at": item.created_at,
        "updated_at": item.updated_at,
    }
