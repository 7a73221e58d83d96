"""What the operations on assistants ask the project's authorisation handlers, and with which values; see
`thread_access`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

from uuid_utils import uuid7

from runyard.generated.models import (
    AssistantCountRequest,
    AssistantCreate,
    AssistantSearchRequest,
    AssistantVersionsSearchRequest,
)
from runyard.handlers.api.thread_access import delete_thread, narrowed
from runyard.runtime.auth.authorization import authorize
from runyard.runtime.auth.principal import Principal
from runyard.runtime.config.assistant_ids import default_assistant_id
from runyard.runtime.config.ids import usual_id
from runyard.runtime.scope import Scope

Search = TypeVar("Search", AssistantSearchRequest, AssistantCountRequest)

ASSISTANTS = "assistants"
_SETTABLE = ("graph_id", "config", "context", "metadata", "name", "description")


async def create_assistant(principal: Principal, request: AssistantCreate) -> tuple[Scope, AssistantCreate]:
    """assistants.create; also the request as it is to be carried out."""
    if principal.rules is None:
        return principal.scope, request
    assistant_id = request.assistant_id or str(uuid7())
    value: dict[str, Any] = {
        "assistant_id": UUID(assistant_id),
        "graph_id": request.graph_id,
        "config": request.config or {},
        "context": request.context or {},
        "metadata": {**(request.metadata or {})},
        "if_exists": request.if_exists,
        "name": request.name,
        "description": request.description,
    }
    scope = await authorize(principal, ASSISTANTS, "create", value)
    return scope, replace(
        request,
        assistant_id=assistant_id,
        metadata=value["metadata"],
        config=value.get("config") or (request.config and {}),
        context=value.get("context") or (request.context and {}),
    )


async def read_assistant(principal: Principal, name: str) -> Scope:
    """assistants.read, for the assistant with that uuid or that stands for the graph of that name."""
    if principal.rules is None:
        return principal.scope
    return await authorize(principal, ASSISTANTS, "read", {"assistant_id": assistant_uuid(name), "metadata": {}})


async def read_versions(
    principal: Principal, assistant_id: str, request: AssistantVersionsSearchRequest
) -> tuple[Scope, AssistantVersionsSearchRequest]:
    """assistants.read, for the versions of an assistant; also the request as it is to be carried out."""
    if principal.rules is None:
        return principal.scope, request
    value = {"assistant_id": assistant_uuid(assistant_id), "metadata": {**(request.metadata or {})}}
    scope = await authorize(principal, ASSISTANTS, "read", value)
    scope, metadata = narrowed(scope, request.metadata, value)
    return scope, replace(request, metadata=metadata)


async def patch_assistant(
    principal: Principal, assistant_id: str, given: Mapping[str, Any]
) -> tuple[Scope, Mapping[str, Any]]:
    """assistants.update; also the fields as they are to be set."""
    if principal.rules is None:
        return principal.scope, given
    value: dict[str, Any] = {"assistant_id": assistant_uuid(assistant_id), **given}
    value["metadata"] = {**(given.get("metadata") or {})}
    scope = await authorize(principal, ASSISTANTS, "update", value)
    left = {name: value[name] for name in _SETTABLE if name in given and name in value}
    others = {name: item for name, item in given.items() if name not in _SETTABLE}
    return scope, {**others, **left, **({"metadata": value["metadata"]} if value.get("metadata") else {})}


async def set_version(principal: Principal, assistant_id: str, version: int) -> Scope:
    """assistants.update, for another version."""
    if principal.rules is None:
        return principal.scope
    value = {"assistant_id": assistant_uuid(assistant_id), "version": version}
    return await authorize(principal, ASSISTANTS, "update", value)


async def delete_assistant(principal: Principal, assistant_id: str, *, threads: bool) -> Scope:
    """assistants.delete; and threads.delete, without an id, if its `threads` are to go too."""
    if principal.rules is None:
        return principal.scope
    scope = await authorize(principal, ASSISTANTS, "delete", {"assistant_id": assistant_uuid(assistant_id)})
    if not threads:
        return scope
    return replace(scope, beside={("threads", None): await delete_thread(principal, None)})


async def search_assistants(principal: Principal, request: Search) -> tuple[Scope, Search]:
    """assistants.search; also the request as it is to be carried out."""
    if principal.rules is None:
        return principal.scope, request
    value: dict[str, Any] = {
        "graph_id": request.graph_id,
        "metadata": {**(request.metadata or {})},
        "limit": getattr(request, "limit", None),
        "offset": getattr(request, "offset", None),
    }
    scope = await authorize(principal, ASSISTANTS, "search", value)
    scope, metadata = narrowed(scope, request.metadata, value)
    return scope, replace(request, metadata=metadata)


def assistant_uuid(name: str) -> UUID:
    """The uuid of an assistant that is named by it or, where it is that of a graph, by the graph."""
    return UUID(usual_id(name) or default_assistant_id(name))
