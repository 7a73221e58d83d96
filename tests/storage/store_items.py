"""Items of the long-term store, as the tests of it put and find them."""

from __future__ import annotations

from typing import Any

import orjson

from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.store import (
    GetItem,
    ListNamespaces,
    Namespace,
    PutItem,
    SearchItems,
    StoredItem,
    StoreOperation,
    StoreResult,
)

PLACE = ("notes", "lakes")
EVERYTHING = Scope.everything()


def put_item(key: str, value: Any, namespace: Namespace = PLACE, **options: Any) -> PutItem:
    return PutItem(namespace=namespace, key=key, value=None if value is None else orjson.dumps(value), **options)


async def one(storage: Storage, operation: StoreOperation) -> StoreResult:
    (found,) = await storage.store.batch(EVERYTHING, [operation])
    return found


async def put(storage: Storage, key: str, value: Any, namespace: Namespace = PLACE, **options: Any) -> None:
    await one(storage, put_item(key, value, namespace, **options))


async def get(storage: Storage, key: str, namespace: Namespace = PLACE, *, refresh: bool = False) -> StoredItem | None:
    found = await one(storage, GetItem(namespace=namespace, key=key, refresh=refresh))
    assert found is None or isinstance(found, StoredItem)
    return found


async def search(storage: Storage, **wanted: Any) -> list[StoredItem]:
    found = await one(storage, SearchItems(**wanted))
    assert isinstance(found, list)
    return [item for item in found if isinstance(item, StoredItem)]


async def keys(storage: Storage, **wanted: Any) -> list[str]:
    return [item.key for item in await search(storage, **wanted)]


async def namespaces(storage: Storage, **wanted: Any) -> StoreResult:
    return await one(storage, ListNamespaces(**wanted))
