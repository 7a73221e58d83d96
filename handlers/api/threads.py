"""Operations on threads, but for their states and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from runyard.generated.models import (
    Thread,
    ThreadCountRequest,
    ThreadCreate,
    ThreadPruneRequest,
    ThreadPruneResponse,
    ThreadSearchRequest,
    ThreadStreamMode,
)
from runyard.handlers.api.selection import paging_headers, select_thread_fields
from runyard.handlers.api.thread_access import (
    copy_thread,
    create_thread,
    delete_thread,
    patch_thread,
    prune_threads,
    read_thread,
    search_threads,
)
from runyard.handlers.http.event_stream import EventStream, EventSubscription
from runyard.handlers.http.responses import BodyResponse, Response, encoded_response, json_response
from runyard.runtime.auth.principal import Principal
from runyard.runtime.scope import Scope
from runyard.runtime.services.idempotency import IdempotentRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runyard.runtime.services.paging import Page

_MINIMAL = "return=minimal"


class ThreadService(Protocol):
    """What the operations need of the service."""

    async def create(self, scope: Scope, request: ThreadCreate, *, once: IdempotentRequest | None = None) -> Thread:
        """A new thread, with a first state if `supersteps` are given; or the one with that id if the request says
        so. With `once`, a request that was carried out before gets what it got then. Raises Conflict for an id that is
        taken, Invalid, and what writing a state raises."""

    async def search(self, scope: Scope, request: ThreadSearchRequest) -> Page[Thread]:
        """One page of the threads that match, with what `extract` names. Raises Invalid for a path of `extract`
        that cannot lead to anything."""

    async def count(self, scope: Scope, request: ThreadCountRequest) -> int:
        """How many threads match."""

    async def prune(self, scope: Scope, request: ThreadPruneRequest) -> int:
        """Deletes threads, or their history; says how many. Unknown ones are passed over."""

    async def get(self, scope: Scope, thread_id: str) -> Thread:
        """Raises NotFound."""

    async def patch(self, scope: Scope, thread_id: str, given: Mapping[str, Any]) -> Thread:
        """The thread, changed by the fields that were given. Raises NotFound, Invalid for a `ttl` without a number
        of minutes."""

    async def delete(self, scope: Scope, thread_id: str) -> None:
        """Deletes the thread with all that belongs to it. Raises NotFound."""

    async def copy(
        self,
        scope: Scope,
        thread_id: str,
        *,
        target: str | None = None,
        metadata: Mapping[str, Any],
        once: IdempotentRequest | None = None,
    ) -> Thread:
        """A new thread with the same metadata, but for `metadata`, and the same state and history; `target` is its id,
        `once` as of `create`. Raises Conflict when there is no such thread."""

    async def storage(self, scope: Scope, thread_id: str) -> bytes:
        """How many bytes the thread occupies, and where. Raises NotFound, Unavailable when the graphs cannot be
        loaded."""


class ThreadStreamService(Protocol):
    """Where the runs of a thread are followed."""

    async def follow_thread(
        self, scope: Scope, thread_id: str, *, last_event_id: str | None, modes: Sequence[str]
    ) -> EventSubscription:
        """The events of all runs of a thread, from now on or from behind `last_event_id`. Raises NotFound."""


class ThreadHandlers:
    """The operations with the tag Threads, but for those on states."""

    def __init__(self, threads: ThreadService, runs: ThreadStreamService) -> None:
        self.threads = threads
        self.runs = runs

    async def create(self, principal: Principal, body: ThreadCreate, once: IdempotentRequest | None) -> Response:
        """POST /threads"""
        scope, request = await create_thread(principal, body)
        return json_response(select_thread_fields(await self.threads.create(scope, request, once=once)))

    async def search(self, principal: Principal, body: ThreadSearchRequest) -> Response:
        """POST /threads/search"""
        scope, request = await search_threads(principal, body)
        page = await self.threads.search(scope, request)
        select: list[str] | None = None
        if body.select is not None:
            select = [*body.select, "extracted"] if body.extract else [*body.select]
        return json_response(
            [select_thread_fields(thread, select) for thread in page.items], headers=paging_headers(page)
        )

    async def count(self, principal: Principal, body: ThreadCountRequest) -> Response:
        """POST /threads/count"""
        scope, request = await search_threads(principal, body)
        return json_response(await self.threads.count(scope, request))

    async def prune(self, principal: Principal, body: ThreadPruneRequest) -> Response:
        """POST /threads/prune"""
        pruned = 0
        for scope, request in await prune_threads(principal, body):
            pruned += await self.threads.prune(scope, request)
        return json_response(ThreadPruneResponse(pruned_count=pruned))

    async def get(self, principal: Principal, thread_id: str, include: str | None) -> Response:
        """GET /threads/{thread_id}"""
        thread = await self.threads.get(await read_thread(principal, thread_id), thread_id)
        return json_response(select_thread_fields(thread, include=(include or "").split(",")))

    async def patch(self, principal: Principal, thread_id: str, body: dict[str, Any], prefer: str | None) -> Response:
        """PATCH /threads/{thread_id}"""
        scope, given = await patch_thread(principal, thread_id, body)
        thread = await self.threads.patch(scope, thread_id, given)
        if prefer is not None and _MINIMAL in (part.strip() for part in prefer.lower().split(",")):
            return BodyResponse(204, headers=[(b"preference-applied", _MINIMAL.encode())])
        return json_response(select_thread_fields(thread))

    async def delete(self, principal: Principal, thread_id: str) -> Response:
        """DELETE /threads/{thread_id}"""
        await self.threads.delete(await delete_thread(principal, thread_id), thread_id)
        return BodyResponse(204)

    async def copy(self, principal: Principal, thread_id: str, once: IdempotentRequest | None) -> Response:
        """POST /threads/{thread_id}/copy"""
        scope, target, metadata = await copy_thread(principal, thread_id)
        copied = await self.threads.copy(scope, thread_id, target=target, metadata=metadata, once=once)
        return json_response(select_thread_fields(copied))

    async def storage(self, principal: Principal, thread_id: str) -> Response:
        """GET /threads/{thread_id}/storage"""
        return encoded_response(await self.threads.storage(await read_thread(principal, thread_id), thread_id))

    async def stream(
        self,
        principal: Principal,
        thread_id: str,
        last_event_id: str | None,
        stream_modes: ThreadStreamMode | list[ThreadStreamMode],
        stream_mode: list[ThreadStreamMode] | None,
    ) -> Response:
        """GET /threads/{thread_id}/stream"""
        modes = stream_mode or ([stream_modes] if isinstance(stream_modes, str) else stream_modes)
        scope = await read_thread(principal, thread_id)
        subscription = await self.runs.follow_thread(scope, thread_id, last_event_id=last_event_id, modes=modes)
        return EventStream(subscription, [])
