"""Batches that nobody works off."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from runyard.generated import models
from runyard.runtime.scope import Scope
from runyard.runtime.services.paging import Page

from .runs import FakeSubscription, Script, make_run
from .times import NOW


def make_batch(**changes: Any) -> models.Batch:
    """One of two items, of which none has begun; `changes` are fields of it."""
    fields: dict[str, Any] = {
        "batch_id": str(uuid.uuid4()),
        "name": None,
        "status": "queued",
        "counts": models.BatchCounts(pending=2, running=0, success=0, error=0, timeout=0, interrupted=0),
        "metadata": {},
        "created_at": NOW,
        "started_at": None,
        "ended_at": None,
        "cancelled_at": None,
        "progress": 0.0,
        "rate": None,
        "estimated_end": None,
        "durations": models.BatchDurations(p50=None, p95=None),
        "tokens": models.BatchTokens(input=0, output=0, cached=0),
        "webhook": None,
        "max_concurrency": None,
        "start_within": None,
        "finish_within": None,
        "retry": None,
        "result_ttl": None,
    }
    return models.Batch(**{**fields, **changes})


class FakeBatches:
    """`calls` has what was asked for; `next` is where the next page begins."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.next: int | None = None
        self.script: Script = []

    async def search(
        self,
        scope: Scope,
        *,
        statuses: Sequence[models.BatchStatus] | None,
        name: str | None,
        metadata: Mapping[str, Any] | None,
        limit: int,
        offset: int,
    ) -> Page[models.Batch]:
        self.calls.append(("search", statuses, name, metadata, limit, offset))
        return Page([make_batch(name=name)], offset + 1, self.next)

    async def get(self, scope: Scope, batch_id: str) -> models.Batch:
        return make_batch(batch_id=batch_id)

    async def runs(
        self,
        scope: Scope,
        batch_id: str,
        *,
        statuses: Sequence[models.RunStatus] | None,
        limit: int,
        offset: int,
    ) -> Page[models.Run]:
        self.calls.append(("runs", batch_id, statuses, limit, offset))
        return Page([make_run()], offset + 1, self.next)

    async def follow(self, scope: Scope, batch_id: str) -> FakeSubscription:
        self.calls.append(("follow", batch_id))
        return FakeSubscription(list(self.script))

    async def cancel(self, scope: Scope, batch_id: str) -> models.Batch:
        self.calls.append(("cancel", batch_id))
        return make_batch(batch_id=batch_id, cancelled_at=NOW)

    async def delete(self, scope: Scope, batch_id: str) -> None:
        self.calls.append(("delete", batch_id))
