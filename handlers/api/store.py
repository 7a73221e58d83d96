"""Operations on the long-term store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from runyard.generated.models import StoreDeleteRequest, StoreListNamespacesRequest, StoreSearchRequest
from runyard.handlers.api.store_access import delete_item, get_item, list_namespaces, put_item, search_items
from runyard.handlers.http.responses import BodyResponse, Response, encoded_response
from runyard.runtime.auth.principal import Principal
from runyard.runtime.scope import Scope


class StoreService(Protocol):
    """What the operations need of the service. What it answers is JSON."""

    async def put(self, scope: Scope, given: Mapping[str, Any]) -> None:
        """Keeps an item, from the fields that were given. Raises BadRequest, Invalid, Unavailable."""

    async def get(self, scope: Scope, namespace: Sequence[str] | None, key: str, refresh_ttl: bool | None) -> bytes:
        """The item, or null. Raises Invalid."""

    async def delete(self, scope: Scope, request: StoreDeleteRequest) -> None:
        """Sees to it that there is no such item. Raises Invalid."""

    async def search(self, scope: Scope, request: StoreSearchRequest) -> bytes:
        """One page of items. Raises Invalid, Unavailable."""

    async def namespaces(self, scope: Scope, request: StoreListNamespacesRequest, below: Sequence[str]) -> bytes:
        """One page of the namespaces that are `below`, whose labels are no patterns. Raises Invalid, Unavailable."""


class StoreHandlers:
    """The operations with the tag Store."""

    def __init__(self, store: StoreService) -> None:
        self.store = store

    async def put(self, principal: Principal, body: dict[str, Any]) -> Response:
        """PUT /store/items"""
        scope, given = await put_item(principal, body)
        await self.store.put(scope, given)
        return BodyResponse(204)

    async def get(
        self, principal: Principal, key: str, namespace: list[str] | None, refresh_ttl: bool | None
    ) -> Response:
        """GET /store/items"""
        scope, labels, key = await get_item(principal, namespace, key)
        return encoded_response(await self.store.get(scope, labels, key, refresh_ttl))

    async def delete(self, principal: Principal, body: StoreDeleteRequest) -> Response:
        """DELETE /store/items"""
        scope, request = await delete_item(principal, body)
        await self.store.delete(scope, request)
        return BodyResponse(204)

    async def search(self, principal: Principal, body: StoreSearchRequest) -> Response:
        """POST /store/items/search"""
        scope, request = await search_items(principal, body)
        return encoded_response(await self.store.search(scope, request))

    async def namespaces(self, principal: Principal, body: StoreListNamespacesRequest) -> Response:
        """POST /store/namespaces"""
        scope, request, below = await list_namespaces(principal, body)
        return encoded_response(await self.store.namespaces(scope, request, below))
