"""Threads: what runs leave behind and later runs build on."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from uuid_utils import uuid7

from runyard.generated.models import (
    Thread,
    ThreadCountRequest,
    ThreadCreate,
    ThreadPruneRequest,
    ThreadSearchRequest,
)
from runyard.runtime.errors import Conflict, Invalid, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.services.extract import extract, parse_paths
from runyard.runtime.services.idempotency import Idempotency, IdempotentRequest
from runyard.runtime.services.paging import Page, page_of
from runyard.runtime.services.thread_states import ThreadStates
from runyard.runtime.services.viewer import Viewer
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.storage.port.idempotency import IdempotencyKey
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import NO_METADATA, NewThread
from runyard.runtime.streams.broker import Broker

logger = logging.getLogger(__name__)

THREADS_PER_TRANSACTION: Final = 100
"""Threads that one transaction deletes: interactive writes must get in between."""


class Threads:
    """The service behind the operations on threads."""

    def __init__(
        self,
        storage: Storage,
        viewer: Viewer,
        states: ThreadStates,
        broker: Broker,
        idempotency: Idempotency,
        expiry: Expiry | None = None,
    ) -> None:
        """`expiry` is the lifetime of threads that are made without one."""
        self._storage = storage
        self._states = states
        self._broker = broker
        self._viewer = viewer
        self._idempotency = idempotency
        self._expiry = expiry

    # Looking

    async def get(self, scope: Scope, thread_id: str) -> Thread:
        """The thread as it is now. Raises NotFound when there is none of that id."""
        if scope.filter and await self._storage.threads.graph_ids(scope, thread_id) is None:
            raise _unknown(thread_id)  # nothing is done for who may not see it
        await self._states.settle_one(thread_id)
        thread = await self._storage.threads.get(scope, thread_id)
        if thread is None:
            raise _unknown(thread_id)
        return thread

    async def search(self, scope: Scope, request: ThreadSearchRequest) -> Page[Thread]:
        """Threads with what `extract` asks for. Raises Invalid for a path that leads nowhere near a thread."""
        paths = parse_paths(request.extract or {})
        found = await self._storage.threads.search(scope, request, limit=request.limit + 1, offset=request.offset)
        if paths:
            for thread in found:
                thread.extracted = extract(thread, paths)
        return page_of(found, limit=request.limit, offset=request.offset)

    async def count(self, scope: Scope, request: ThreadCountRequest) -> int:
        """How many threads there are that `search` would find."""
        return await self._storage.threads.count(scope, request)

    async def storage(self, scope: Scope, thread_id: str) -> bytes:
        """How much storage the thread uses, as JSON. Raises NotFound."""
        if await self._storage.threads.graph_ids(scope, thread_id) is None:
            raise _unknown(thread_id)
        return await self._viewer.ask("storage", scope, thread_id)

    # Editing

    async def create(self, scope: Scope, request: ThreadCreate, *, once: IdempotentRequest | None = None) -> Thread:
        """A new thread, with a first state if `supersteps` are given, all at once. Raises Conflict."""
        return await self._idempotency.once(
            scope,
            once,
            lambda key: self._create(scope, request, key),
            lambda packed: self._idempotency.thread_again(scope, packed),
        )

    async def _create(self, scope: Scope, request: ThreadCreate, key: IdempotencyKey | None) -> Thread:
        thread_id = request.thread_id or str(uuid7())
        metadata = request.metadata or {}
        expiry = self._expiry if request.ttl is None else _expiry(request.ttl.ttl, request.ttl.strategy)
        new_thread = NewThread(thread_id=thread_id, metadata=metadata, expiry=expiry, key=key)
        if not request.supersteps:
            return await self._storage.threads.create(scope, new_thread, request.if_exists)
        if request.if_exists == "do_nothing":
            existing = await self._storage.threads.get(scope, thread_id)
            if existing is not None:
                if key is not None:
                    await self._storage.idempotency.keep(scope, key, existing)
                return existing
        await self._viewer.ask("create_thread", scope, new_thread, request.supersteps, request.if_exists)
        return await self.get(scope, thread_id)

    async def patch(self, scope: Scope, thread_id: str, given: Mapping[str, Any]) -> Thread:
        """Merges metadata at its top level and sets the lifetime, where they are given. Raises NotFound."""
        ttl = given.get("ttl")
        expiry = None if ttl is None else _expiry(ttl.get("ttl"), ttl.get("strategy", "delete"))
        thread = await self._storage.threads.patch(scope, thread_id, given.get("metadata"), expiry)
        if thread is None:
            raise _unknown(thread_id)
        return thread

    async def delete(self, scope: Scope, thread_id: str) -> None:
        """Deletes the thread with all that belongs to it; what runs on it is stopped. Raises NotFound."""
        deleted = await self._storage.threads.delete(scope, [thread_id])
        if not deleted.threads:
            raise _unknown(thread_id)
        self._broker.threads_deleted(deleted)

    async def copy(
        self,
        scope: Scope,
        thread_id: str,
        *,
        target: str | None = None,
        metadata: Mapping[str, Any] = NO_METADATA,
        once: IdempotentRequest | None = None,
    ) -> Thread:
        """A new thread with the same state and history, but without runs or ttl, and with the same metadata but for
        `metadata`; `target` is its id. Raises Conflict when there is nothing to copy (observed at
        POST /threads/{thread_id}/copy)."""

        async def make(key: IdempotencyKey | None) -> Thread:
            copied = await self._storage.threads.copy(
                scope, thread_id, target or str(uuid7()), self._expiry, metadata, key
            )
            if copied is None:
                raise Conflict(f"Thread with ID {thread_id} not found, so it cannot be copied")
            return copied

        return await self._idempotency.once(
            scope, once, make, lambda packed: self._idempotency.thread_again(scope, packed)
        )

    async def prune(self, scope: Scope, request: ThreadPruneRequest) -> int:
        """Deletes threads, or their history; answers how many. Threads that are not there are passed over, and
        those with runs under way keep their history."""
        pruned = 0
        for start in range(0, len(request.thread_ids), THREADS_PER_TRANSACTION):
            thread_ids = request.thread_ids[start : start + THREADS_PER_TRANSACTION]
            if request.strategy == "delete":
                deleted = await self._storage.threads.delete(scope, thread_ids)
                self._broker.threads_deleted(deleted)
                pruned += len(deleted.threads)
            else:
                for thread_id in dict.fromkeys(thread_ids):
                    pruned += await self.keep_latest(scope, thread_id)
        return pruned

    async def keep_latest(self, scope: Scope, thread_id: str) -> bool:
        """Drops the history of a thread, so that only its present is left. False when there is no such thread,
        or when it changes right now."""
        return await self._viewer.ask("keep_latest", scope, thread_id) == b"true"

    async def expire(self, limit: int) -> int:
        """Deletes, or drops the history of, up to `limit` threads whose time is over; answers how many."""
        deleted = await self._storage.threads.delete_expired(limit)
        self._broker.threads_deleted(deleted)
        expired = len(deleted.threads)
        for thread_id in await self._storage.threads.history_expired(limit):
            try:
                expired += await self.keep_latest(Scope.everything(), thread_id)
            except Exception:  # a checkpoint that cannot be unpacked must not keep other threads from expiring
                logger.exception("the history of thread %s cannot be dropped; it is tried again later", thread_id)
                await self._storage.threads.postpone_expiry(thread_id)
        return expired

    async def remove_leftovers(self) -> bool:
        """Removes some of what large threads that were deleted have left behind; whether there is more."""
        removed = await self._storage.threads.remove_leftovers()
        for run_id in removed.runs:
            self._broker.run_deleted(run_id)
        return removed.more


def _unknown(thread_id: str) -> NotFound:
    return NotFound(f"Thread with ID {thread_id} not found")


def _expiry(minutes: float | None, strategy: Any) -> Expiry:
    if minutes is None:
        raise Invalid("ttl.ttl: the number of minutes is missing")
    return Expiry(strategy, minutes)
