"""What the operations on threads ask the project's authorisation handlers, and with which values.

Values are as `langgraph_sdk.auth.types` has them; ids in them are `UUID`s. What a handler changes in the metadata takes
effect: it is stored, or narrows a search.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

from uuid_utils import uuid7

from runyard.generated.models import ThreadCountRequest, ThreadCreate, ThreadPruneRequest, ThreadSearchRequest
from runyard.runtime.auth.authorization import authorize
from runyard.runtime.auth.principal import Principal
from runyard.runtime.scope import Scope

Search = TypeVar("Search", ThreadSearchRequest, ThreadCountRequest)

THREADS = "threads"


async def create_thread(principal: Principal, request: ThreadCreate) -> tuple[Scope, ThreadCreate]:
    """threads.create; also the request as it is to be carried out."""
    if principal.rules is None:
        return principal.scope, request
    thread_id = request.thread_id or str(uuid7())
    value: dict[str, Any] = {
        "thread_id": UUID(thread_id),
        "metadata": {**(request.metadata or {})},
        "if_exists": request.if_exists,
        **({} if request.ttl is None else {"ttl": {"strategy": request.ttl.strategy, "ttl": request.ttl.ttl}}),
    }
    scope = await authorize(principal, THREADS, "create", value)
    return scope, replace(request, thread_id=thread_id, metadata=value["metadata"])


async def read_thread(principal: Principal, thread_id: str | None, run_id: str | None = None) -> Scope:
    """threads.read: the thread, its states, or one of its runs. `thread_id` None: the run is of none."""
    if principal.rules is None:
        return principal.scope
    return await authorize(principal, THREADS, "read", _named(thread_id, run_id))


async def update_thread(
    principal: Principal, thread_id: str | None, *, action: str | None = None, metadata: Mapping[str, Any] | None = None
) -> Scope:
    """threads.update: a new state, the end of a history, or the cancelling of runs (`action`), which `metadata` tells
    the handler of. `thread_id` None: of any thread."""
    if principal.rules is None:
        return principal.scope
    value = _named(thread_id)
    if action is not None:
        value["action"] = action
    if metadata is not None:
        value["metadata"] = {**metadata}
    return await authorize(principal, THREADS, "update", value)


async def patch_thread(
    principal: Principal, thread_id: str, given: Mapping[str, Any]
) -> tuple[Scope, Mapping[str, Any]]:
    """threads.update; also the fields as they are to be set."""
    if principal.rules is None:
        return principal.scope, given
    value = {**_named(thread_id), "metadata": {**(given.get("metadata") or {})}}
    scope = await authorize(principal, THREADS, "update", value)
    metadata = value.get("metadata") or {}
    return scope, {**given, "metadata": metadata} if metadata or "metadata" in given else given


async def delete_thread(principal: Principal, thread_id: str | None, run_id: str | None = None) -> Scope:
    """threads.delete: the thread, or one of its runs."""
    if principal.rules is None:
        return principal.scope
    return await authorize(principal, THREADS, "delete", _named(thread_id, run_id))


async def prune_threads(
    principal: Principal, request: ThreadPruneRequest
) -> Sequence[tuple[Scope, ThreadPruneRequest]]:
    """threads.delete for each of the threads, or threads.update where only their history is dropped; the request in
    parts that reach equally far, in order. One thread that is forbidden forbids all."""
    if principal.rules is None:
        return [(principal.scope, request)]
    parts: list[tuple[Scope, ThreadPruneRequest]] = []
    for index, thread_id in enumerate(request.thread_ids):
        scope = await (delete_thread if request.strategy == "delete" else update_thread)(principal, thread_id)
        if parts and parts[-1][0] == scope:
            parts[-1][1].thread_ids.append(thread_id)
        else:
            parts.append((scope, replace(request, thread_ids=[thread_id])))
        if index % 500 == 499:
            await asyncio.sleep(0)  # others have requests too
    return parts


async def copy_thread(principal: Principal, thread_id: str) -> tuple[Scope, str | None, Mapping[str, Any]]:
    """threads.read, and threads.create for the copy; also the id of the copy, and what takes the place of the same keys
    of its metadata."""
    if principal.rules is None:
        return principal.scope, None, {}
    scope = await read_thread(principal, thread_id)
    target = str(uuid7())
    value: dict[str, Any] = {"thread_id": UUID(target), "metadata": {}, "if_exists": "raise"}
    await authorize(principal, THREADS, "create", value)
    return scope, target, value["metadata"]


async def search_threads(principal: Principal, request: Search) -> tuple[Scope, Search]:
    """threads.search; also the request as it is to be carried out."""
    if principal.rules is None:
        return principal.scope, request
    value: dict[str, Any] = {
        "metadata": {**(request.metadata or {})},
        "values": {**(request.values or {})},
        "status": request.status,
        "limit": getattr(request, "limit", None),
        "offset": getattr(request, "offset", None),
        "ids": [UUID(thread_id) for thread_id in getattr(request, "ids", None) or ()] or None,
        "thread_id": None,
    }
    scope = await authorize(principal, THREADS, "search", value)
    scope, metadata = narrowed(scope, request.metadata, value)
    return scope, replace(request, metadata=metadata)


async def list_runs(principal: Principal, thread_id: str, *, limit: int, offset: int) -> Scope:
    """threads.search, for the runs of one thread."""
    if principal.rules is None:
        return principal.scope
    value = {**_named(thread_id), "metadata": {}, "limit": limit, "offset": offset}
    scope = await authorize(principal, THREADS, "search", value)
    return narrowed(scope, None, value)[0]


def narrowed(
    scope: Scope, asked: Mapping[str, Any] | None, value: Mapping[str, Any]
) -> tuple[Scope, dict[str, Any] | None]:
    """A search whose metadata a handler may have changed in `value`: what it has set is part of the scope, and no
    longer of what was asked for; what a filter says of the same key wins."""
    metadata: Mapping[str, Any] = value.get("metadata") or {}
    before = asked or {}
    ours = {key: set_ for key, set_ in metadata.items() if key not in before or before[key] != set_}
    if ours:
        scope = replace(scope, filter={**{key: {"$eq": ours[key]} for key in ours}, **(scope.filter or {})})
    return scope, {key: wanted for key, wanted in before.items() if key in metadata and key not in ours} or None


def _named(thread_id: str | None, run_id: str | None = None) -> dict[str, Any]:
    value: dict[str, Any] = {"thread_id": thread_id and UUID(thread_id)}
    if run_id is not None:
        value["run_id"] = UUID(run_id)
    return value
