"""Operations on assistants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runyard.generated.models import (
    AssistantCountRequest,
    AssistantCreate,
    AssistantSearchRequest,
    AssistantVersionChange,
    AssistantVersionsSearchRequest,
)
from runyard.handlers.api.selection import omit_field, paging_headers, select_fields
from runyard.handlers.http.responses import BodyResponse, Response, json_response

if TYPE_CHECKING:
    from runyard.runtime.services.assistants import Assistants


class AssistantHandlers:
    """The operations with the tag Assistants."""

    def __init__(self, assistants: Assistants) -> None:
        self.assistants = assistants

    async def create(self, body: AssistantCreate) -> Response:
        """POST /assistants"""
        return json_response(await self.assistants.create(body))

    async def search(self, body: AssistantSearchRequest) -> Response:
        """POST /assistants/search"""
        page = await self.assistants.search(body)
        return json_response(select_fields(page.items, body.select), headers=paging_headers(page))

    async def count(self, body: AssistantCountRequest) -> Response:
        """POST /assistants/count"""
        return json_response(await self.assistants.count(body))

    async def get(self, assistant_id: str) -> Response:
        """GET /assistants/{assistant_id}"""
        return json_response(await self.assistants.get(assistant_id))

    async def patch(self, assistant_id: str, body: dict[str, Any]) -> Response:
        """PATCH /assistants/{assistant_id}"""
        return json_response(await self.assistants.patch(assistant_id, body))

    async def delete(self, assistant_id: str, delete_threads: bool) -> Response:
        """DELETE /assistants/{assistant_id}"""
        await self.assistants.delete(assistant_id, delete_threads)
        return BodyResponse(204)

    async def versions(self, assistant_id: str, body: AssistantVersionsSearchRequest) -> Response:
        """POST /assistants/{assistant_id}/versions"""
        versions = await self.assistants.versions(assistant_id, body)
        return json_response(omit_field(versions, "updated_at"))

    async def set_latest(self, assistant_id: str, body: AssistantVersionChange) -> Response:
        """POST /assistants/{assistant_id}/latest"""
        return json_response(await self.assistants.set_latest(assistant_id, body.version))

    async def graph(self, assistant_id: str, xray: bool | int) -> Response:
        """GET /assistants/{assistant_id}/graph"""
        return json_response(await self.assistants.graph(assistant_id, xray))

    async def subgraphs(self, assistant_id: str, recurse: bool) -> Response:
        """GET /assistants/{assistant_id}/subgraphs"""
        return json_response(await self.assistants.subgraphs(assistant_id, None, recurse))

    async def subgraphs_in(self, assistant_id: str, namespace: str, recurse: bool) -> Response:
        """GET /assistants/{assistant_id}/subgraphs/{namespace}"""
        return json_response(await self.assistants.subgraphs(assistant_id, namespace, recurse))

    async def schemas(self, assistant_id: str) -> Response:
        """GET /assistants/{assistant_id}/schemas"""
        return json_response(await self.assistants.schemas(assistant_id))
