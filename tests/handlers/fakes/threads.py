"""Threads with any id that is asked for."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from runyard.generated import models
from runyard.runtime.scope import Scope
from runyard.runtime.services.idempotency import IdempotentRequest
from runyard.runtime.services.paging import Page

from .times import NOW


def make_thread(thread_id: str) -> models.Thread:
    return models.Thread(
        thread_id=thread_id,
        created_at=NOW,
        updated_at=NOW,
        state_updated_at=NOW,
        metadata={},
        status="idle",
        config={},
        values=None,
        error=None,
    )


class FakeThreads:
    """`calls` has the calls that change something, `scopes` those of searches; `get` and `create` raise `error`."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls: list[tuple[str, Any]] = []
        self.scopes: list[Scope] = []

    async def get(self, scope: Scope, thread_id: str) -> models.Thread:
        if self.error is not None:
            raise self.error
        thread = make_thread(thread_id)
        thread.ttl = models.ThreadExpiry(strategy="delete", ttl_minutes=5, expires_at=NOW)
        return thread

    async def create(
        self, scope: Scope, request: models.ThreadCreate, *, once: IdempotentRequest | None = None
    ) -> models.Thread:
        if self.error is not None:
            raise self.error
        self.calls.append(("create", request))
        return make_thread(request.thread_id or str(uuid.uuid4()))

    async def patch(self, scope: Scope, thread_id: str, given: Mapping[str, Any]) -> models.Thread:
        self.calls.append(("patch", given))
        return make_thread(thread_id)

    async def delete(self, scope: Scope, thread_id: str) -> None:
        self.calls.append(("delete", thread_id))

    async def copy(
        self,
        scope: Scope,
        thread_id: str,
        *,
        target: str | None = None,
        metadata: Mapping[str, Any],
        once: IdempotentRequest | None = None,
    ) -> models.Thread:
        return make_thread(str(uuid.uuid4()))

    async def prune(self, scope: Scope, request: models.ThreadPruneRequest) -> int:
        self.calls.append(("prune", request))
        return len(request.thread_ids)

    async def storage(self, scope: Scope, thread_id: str) -> bytes:
        size = models.StorageSize(count=1, bytes=2)
        channels = models.ChannelSizes(count=1, bytes=3, by_channel={"n": models.ChannelSize(versions=1, bytes=3)})
        return orjson.dumps(
            models.ThreadStorage(
                thread_id=thread_id, total_bytes=7, checkpoints=size, channel_values=channels, pending_writes=size
            )
        )

    async def search(self, scope: Scope, request: models.ThreadSearchRequest) -> Page[models.Thread]:
        self.scopes.append(scope)
        thread = make_thread(str(uuid.uuid4()))
        if request.extract:
            thread.extracted = dict.fromkeys(request.extract, 1)
        return Page([thread], request.offset + 2, request.offset + 1)

    async def count(self, scope: Scope, request: models.ThreadCountRequest) -> int:
        return 7
