"""Operations on crons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from runyard.generated.models import Cron, CronCountRequest, CronSearch
from runyard.handlers.api.cron_access import create_cron, delete_cron, patch_cron, read_cron, search_crons
from runyard.handlers.api.selection import paging_headers, select_fields
from runyard.handlers.http.responses import BodyResponse, Response, json_response
from runyard.runtime.auth.principal import Principal
from runyard.runtime.scope import Scope
from runyard.runtime.services.idempotency import IdempotentRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runyard.runtime.services.paging import Page


class CronService(Protocol):
    """What the operations need of the service."""

    async def create(
        self,
        scope: Scope,
        given: Mapping[str, Any],
        thread_id: str | None = None,
        *,
        once: IdempotentRequest | None = None,
    ) -> Cron:
        """A new cron, on a thread or with one for each run. With `once`, a request that was carried out before gets
        what it got then. Raises NotFound for an unknown assistant or thread, Invalid for a schedule, a time zone or an
        end that cannot be read, and what a run with its fields would raise."""

    async def get(self, scope: Scope, cron_id: str) -> Cron:
        """Raises NotFound."""

    async def patch(self, scope: Scope, cron_id: str, given: Mapping[str, Any]) -> Cron:
        """Changed by the fields that were given. Raises NotFound, and what `create` raises."""

    async def delete(self, scope: Scope, cron_id: str) -> None:
        """Raises NotFound."""

    async def search(self, scope: Scope, request: CronSearch) -> Page[Cron]:
        """One page of the crons that match."""

    async def count(self, scope: Scope, request: CronCountRequest) -> int:
        """How many crons match."""


class CronHandlers:
    """The operations with the tag Crons."""

    def __init__(self, crons: CronService) -> None:
        self.crons = crons

    async def create(self, principal: Principal, body: dict[str, Any], once: IdempotentRequest | None) -> Response:
        """POST /runs/crons"""
        scope, given = await create_cron(principal, body, None)
        return json_response(await self.crons.create(scope, given, once=once))

    async def create_on_thread(
        self, principal: Principal, thread_id: str, body: dict[str, Any], once: IdempotentRequest | None
    ) -> Response:
        """POST /threads/{thread_id}/runs/crons"""
        scope, given = await create_cron(principal, body, thread_id)
        return json_response(await self.crons.create(scope, given, thread_id, once=once))

    async def get(self, principal: Principal, cron_id: str) -> Response:
        """GET /runs/crons/{cron_id}"""
        return json_response(await self.crons.get(await read_cron(principal, cron_id), cron_id))

    async def patch(self, principal: Principal, cron_id: str, body: dict[str, Any]) -> Response:
        """PATCH /runs/crons/{cron_id}"""
        scope, given = await patch_cron(principal, self.crons.get, cron_id, body)
        return json_response(await self.crons.patch(scope, cron_id, given))

    async def delete(self, principal: Principal, cron_id: str) -> Response:
        """DELETE /runs/crons/{cron_id}"""
        await self.crons.delete(await delete_cron(principal, cron_id), cron_id)
        return BodyResponse(204)

    async def search(self, principal: Principal, body: CronSearch) -> Response:
        """POST /runs/crons/search"""
        scope, request = await search_crons(principal, body)
        page = await self.crons.search(scope, request)
        return json_response(select_fields(page.items, body.select), headers=paging_headers(page))

    async def count(self, principal: Principal, body: CronCountRequest) -> Response:
        """POST /runs/crons/count"""
        scope, request = await search_crons(principal, body)
        return json_response(await self.crons.count(scope, request))
