"""Operations on assistants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from runyard.generated.models import (
    Assistant,
    AssistantCountRequest,
    AssistantCreate,
    AssistantSearchRequest,
    AssistantVersionChange,
    AssistantVersionsSearchRequest,
)
from runyard.handlers.api.assistant_access import (
    create_assistant,
    delete_assistant,
    patch_assistant,
    read_assistant,
    read_versions,
    search_assistants,
    set_version,
)
from runyard.handlers.api.selection import omit_field, paging_headers, select_fields
from runyard.handlers.http.responses import BodyResponse, Response, encoded_response, json_response
from runyard.runtime.auth.principal import Principal
from runyard.runtime.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runyard.runtime.services.paging import Page


class AssistantService(Protocol):
    """What the operations need of the service."""

    async def create(self, scope: Scope, request: AssistantCreate) -> Assistant:
        """A new assistant, or the one with that id if the request says so. Raises NotFound for an unknown graph,
        Conflict for an id that is taken, BadRequest for a config and a context that contradict each other."""

    async def search(self, scope: Scope, request: AssistantSearchRequest) -> Page[Assistant]:
        """One page of the assistants that match."""

    async def count(self, scope: Scope, request: AssistantCountRequest) -> int:
        """How many assistants match."""

    async def get(self, scope: Scope, assistant_id: str) -> Assistant:
        """By its uuid. Raises NotFound."""

    async def patch(self, scope: Scope, assistant_id: str, given: Mapping[str, Any]) -> Assistant:
        """A new version, changed by the fields that were given. Raises NotFound, also for an unknown graph, and
        BadRequest for a config and a context that contradict each other."""

    async def delete(self, scope: Scope, assistant_id: str, delete_threads: bool) -> None:
        """Deletes the assistant, and with `delete_threads` the threads whose latest run was one of it. Raises
        NotFound."""

    async def versions(
        self, scope: Scope, assistant_id: str, request: AssistantVersionsSearchRequest
    ) -> list[Assistant]:
        """The versions of an assistant, newest first. Raises NotFound."""

    async def set_latest(self, scope: Scope, assistant_id: str, version: int) -> Assistant:
        """Makes a version the present one. Raises NotFound for an unknown assistant or version."""

    async def graph(self, scope: Scope, assistant_id: str, xray: bool | int) -> bytes:
        """Nodes and edges of the graph, those of subgraphs too with `xray` (True, or how many levels). The
        assistant's uuid or the name of a graph. Raises NotFound, Invalid for what is neither, and Unavailable when
        the graph cannot be loaded."""

    async def subgraphs(self, scope: Scope, assistant_id: str, namespace: str | None, recurse: bool) -> bytes:
        """The schemas of the subgraphs by their namespace, of all or of one. Raises NotFound, Unavailable."""

    async def ready_to_look(self) -> None:
        """Returns when what graphs say can be asked for without a wait until they are loaded. Raises Unavailable."""

    async def schemas(self, scope: Scope, assistant_id: str) -> bytes:
        """The JSON schemas of input, output, state, config and context. Raises NotFound, Unavailable."""


class AssistantHandlers:
    """The operations with the tag Assistants."""

    def __init__(self, assistants: AssistantService) -> None:
        self.assistants = assistants

    async def create(self, principal: Principal, body: AssistantCreate) -> Response:
        """POST /assistants"""
        scope, request = await create_assistant(principal, body)
        return json_response(await self.assistants.create(scope, request))

    async def search(self, principal: Principal, body: AssistantSearchRequest) -> Response:
        """POST /assistants/search"""
        scope, request = await search_assistants(principal, body)
        page = await self.assistants.search(scope, request)
        return json_response(select_fields(page.items, body.select), headers=paging_headers(page))

    async def count(self, principal: Principal, body: AssistantCountRequest) -> Response:
        """POST /assistants/count"""
        scope, request = await search_assistants(principal, body)
        return json_response(await self.assistants.count(scope, request))

    async def get(self, principal: Principal, assistant_id: str) -> Response:
        """GET /assistants/{assistant_id}"""
        return json_response(await self.assistants.get(await read_assistant(principal, assistant_id), assistant_id))

    async def patch(self, principal: Principal, assistant_id: str, body: dict[str, Any]) -> Response:
        """PATCH /assistants/{assistant_id}"""
        scope, given = await patch_assistant(principal, assistant_id, body)
        return json_response(await self.assistants.patch(scope, assistant_id, given))

    async def delete(self, principal: Principal, assistant_id: str, delete_threads: bool) -> Response:
        """DELETE /assistants/{assistant_id}"""
        scope = await delete_assistant(principal, assistant_id, threads=delete_threads)
        await self.assistants.delete(scope, assistant_id, delete_threads)
        return BodyResponse(204)

    async def versions(self, principal: Principal, assistant_id: str, body: AssistantVersionsSearchRequest) -> Response:
        """POST /assistants/{assistant_id}/versions"""
        scope, request = await read_versions(principal, assistant_id, body)
        versions = await self.assistants.versions(scope, assistant_id, request)
        return json_response(omit_field(versions, "updated_at"))

    async def set_latest(self, principal: Principal, assistant_id: str, body: AssistantVersionChange) -> Response:
        """POST /assistants/{assistant_id}/latest"""
        scope = await set_version(principal, assistant_id, body.version)
        return json_response(await self.assistants.set_latest(scope, assistant_id, body.version))

    async def graph(self, principal: Principal, assistant_id: str, xray: bool | int) -> Response:
        """GET /assistants/{assistant_id}/graph"""
        scope = await read_assistant(principal, assistant_id)
        return encoded_response(await self.assistants.graph(scope, assistant_id, xray))

    async def subgraphs(self, principal: Principal, assistant_id: str, recurse: bool) -> Response:
        """GET /assistants/{assistant_id}/subgraphs"""
        scope = await read_assistant(principal, assistant_id)
        return encoded_response(await self.assistants.subgraphs(scope, assistant_id, None, recurse))

    async def subgraphs_in(self, principal: Principal, assistant_id: str, namespace: str, recurse: bool) -> Response:
        """GET /assistants/{assistant_id}/subgraphs/{namespace}"""
        scope = await read_assistant(principal, assistant_id)
        return encoded_response(await self.assistants.subgraphs(scope, assistant_id, namespace, recurse))

    async def schemas(self, principal: Principal, assistant_id: str) -> Response:
        """GET /assistants/{assistant_id}/schemas"""
        scope = await read_assistant(principal, assistant_id)
        return encoded_response(await self.assistants.schemas(scope, assistant_id))
