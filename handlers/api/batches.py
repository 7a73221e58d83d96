"""Operations on batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from runyard.generated.models import Batch, BatchStatus, Run, RunStatus
from runyard.handlers.api.batch_access import cancel_batch, delete_batch, read_batch, search_batches
from runyard.handlers.api.selection import next_page_link, paging_headers
from runyard.handlers.http.event_stream import EventStream, EventSubscription
from runyard.handlers.http.responses import BodyResponse, Response, json_response
from runyard.runtime.auth.principal import Principal
from runyard.runtime.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runyard.runtime.services.paging import Page


class BatchService(Protocol):
    """What the operations need of the service."""

    async def search(
        self,
        scope: Scope,
        *,
        statuses: Sequence[BatchStatus] | None,
        name: str | None,
        metadata: Mapping[str, Any] | None,
        limit: int,
        offset: int,
    ) -> Page[Batch]:
        """One page of the batches that match, newest first."""

    async def get(self, scope: Scope, batch_id: str) -> Batch:
        """Raises NotFound."""

    async def runs(
        self, scope: Scope, batch_id: str, *, statuses: Sequence[RunStatus] | None, limit: int, offset: int
    ) -> Page[Run]:
        """One page of the runs of a batch, in its order. Raises NotFound."""

    async def follow(self, scope: Scope, batch_id: str) -> EventSubscription:
        """The batch as it changes, until its end. Raises NotFound."""

    async def cancel(self, scope: Scope, batch_id: str) -> Batch:
        """Stops what has not ended of a batch, and says how far that is after some seconds. Raises NotFound."""

    async def delete(self, scope: Scope, batch_id: str) -> None:
        """Removes a batch. Raises NotFound, and Conflict for one that has not ended."""


class BatchHandlers:
    """The operations with the tag Batches."""

    def __init__(self, batches: BatchService) -> None:
        self.batches = batches

    async def search(
        self,
        principal: Principal,
        status: list[BatchStatus] | None,
        name: str | None,
        metadata: dict[str, Any] | None,
        limit: int,
        offset: int,
    ) -> Response:
        """GET /batches"""
        scope, wanted = await search_batches(principal, metadata, limit=limit, offset=offset)
        page = await self.batches.search(scope, statuses=status, name=name, metadata=wanted, limit=limit, offset=offset)
        link = next_page_link(page, "/batches", {"status": status, "name": name, "metadata": metadata, "limit": limit})
        return json_response(page.items, headers=[*paging_headers(page), *link])

    async def get(self, principal: Principal, batch_id: str) -> Response:
        """GET /batches/{batch_id}"""
        return json_response(await self.batches.get(await read_batch(principal), batch_id))

    async def delete(self, principal: Principal, batch_id: str) -> Response:
        """DELETE /batches/{batch_id}"""
        await self.batches.delete(await delete_batch(principal), batch_id)
        return BodyResponse(204)

    async def list_runs(
        self, principal: Principal, batch_id: str, status: list[RunStatus] | None, limit: int, offset: int
    ) -> Response:
        """GET /batches/{batch_id}/runs"""
        page = await self.batches.runs(
            await read_batch(principal), batch_id, statuses=status, limit=limit, offset=offset
        )
        link = next_page_link(page, f"/batches/{batch_id}/runs", {"status": status, "limit": limit})
        return json_response(page.items, headers=[*paging_headers(page), *link])

    async def cancel(self, principal: Principal, batch_id: str) -> Response:
        """POST /batches/{batch_id}/cancel"""
        return json_response(await self.batches.cancel(await cancel_batch(principal, batch_id), batch_id))

    async def stream(self, principal: Principal, batch_id: str) -> Response:
        """GET /batches/{batch_id}/stream"""
        return EventStream(await self.batches.follow(await read_batch(principal), batch_id), [])
