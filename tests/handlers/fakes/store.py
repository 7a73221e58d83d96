"""A store that has every item that is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from runyard.generated import models
from runyard.runtime.scope import Scope

from .times import NOW


class FakeStore:
    """`calls` has the calls that change something."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    async def put(self, scope: Scope, given: Mapping[str, Any]) -> None:
        self.calls.append(("put", given))

    async def get(self, scope: Scope, namespace: Sequence[str] | None, key: str, refresh_ttl: bool | None) -> bytes:
        return orjson.dumps(make_item(namespace or ["notes"], key))

    async def delete(self, scope: Scope, request: models.StoreDeleteRequest) -> None:
        self.calls.append(("delete", request))

    async def search(self, scope: Scope, request: models.StoreSearchRequest) -> bytes:
        return orjson.dumps({"items": [{**make_item(["notes"], "a"), "score": None}]})

    async def namespaces(self, scope: Scope, request: models.StoreListNamespacesRequest, below: Sequence[str]) -> bytes:
        return orjson.dumps({"namespaces": [["notes"]]})


def make_item(namespace: Sequence[str], key: str) -> dict[str, Any]:
    return {"namespace": namespace, "key": key, "value": {"n": 1}, "created_at": NOW, "updated_at": NOW}
