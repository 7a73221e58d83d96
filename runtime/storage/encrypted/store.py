"""Items of the store, of whose values the project's handler says which are encrypted. Namespaces and keys are not: they
are listed and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from runyard.runtime.encryption.handler_loop import each
from runyard.runtime.encryption.handlers import Context, Subject
from runyard.runtime.encryption.sealing import MARK
from runyard.runtime.scope import Scope
from runyard.runtime.storage.encrypted.codec import Codec
from runyard.runtime.storage.encrypted.runs import context_of
from runyard.runtime.storage.port.store import (
    PutItem,
    SearchItems,
    StoredItem,
    StoreOperation,
    StoreResult,
    StoreStorage,
)

VALUE: Final = Subject("store", "value")
_MARKED: Final = f'"{MARK}"'.encode()


class EncryptedStore:
    """See `StoreStorage`."""

    def __init__(self, inner: StoreStorage, codec: Codec) -> None:
        self._inner = inner
        self._codec = codec
        self.ready = inner.ready
        self.expire = inner.expire
        self.count_unindexed = inner.count_unindexed
        self.unindexed = inner.unindexed
        self.index_items = inner.index_items

    async def batch(self, scope: Scope, operations: Sequence[StoreOperation]) -> list[StoreResult]:
        context = context_of(scope)

        async def seal(operation: StoreOperation) -> StoreOperation:
            return await self._sealed(context, operation)

        sealed = await self._codec.run(each(seal, operations)) if operations else []
        results = await self._inner.batch(scope, sealed)
        if not any(map(_is_marked, results)):
            return results
        return await self._codec.run(each(self._opened, results))

    async def _sealed(self, context: Context, operation: StoreOperation) -> StoreOperation:
        if isinstance(operation, PutItem) and operation.value is not None:
            fields = await self._codec.seal.seal_fields(context, VALUE, orjson.loads(operation.value))
            return replace(operation, value=orjson.dumps(fields))
        if isinstance(operation, SearchItems) and operation.filter:
            await self._codec.seal.refuse_sealed(context, VALUE, _example(operation.filter), "filter")
        return operation

    async def _opened(self, result: StoreResult) -> StoreResult:
        if isinstance(result, StoredItem):
            return await self._open_item(result)
        if isinstance(result, list):
            return [await self._open_item(item) if isinstance(item, StoredItem) else item for item in result]  # type: ignore[return-value]
        return result

    async def _open_item(self, item: StoredItem) -> StoredItem:
        if _MARKED not in item.value:
            return item
        change = self._codec.at("item", (".".join(item.namespace), item.key), "value")
        fields = await self._codec.seal.open_fields(VALUE, orjson.loads(item.value), change)
        return replace(item, value=orjson.dumps(fields))


def _is_marked(result: StoreResult) -> bool:
    if isinstance(result, StoredItem):
        return _MARKED in result.value
    return isinstance(result, list) and any(isinstance(item, StoredItem) and _MARKED in item.value for item in result)


def _example(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A value that passes a filter, as far as its keys go."""
    example: dict[str, Any] = {}
    for path, test in wanted.items():
        if isinstance(test, dict) and test and all(name.startswith("$") for name in test):
            test = next(iter(test.values()))
        *outer, last = path.split(".")
        place = example
        for name in outer:
            within = place.setdefault(name, {})
            if not isinstance(within, dict):
                break
            place = within
        place[last] = test
    return example
