"""Batches, their items and results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from runyard.generated.models import Batch, BatchStatus, Run
from runyard.runtime.encryption.handler_loop import each
from runyard.runtime.encryption.sealing import MARK
from runyard.runtime.scope import Scope
from runyard.runtime.storage.encrypted.codec import Codec
from runyard.runtime.storage.encrypted.runs import (
    BATCH_METADATA,
    METADATA,
    WEBHOOK,
    context_of,
    open_answer,
    open_kwargs,
    open_run,
    opened,
    seal_new_run,
    seal_scope,
)
from runyard.runtime.storage.port.batches import BatchStorage
from runyard.runtime.storage.port.results import FailedItem, ItemResult, ItemRetry, ResultStorage, RetryResult
from runyard.runtime.storage.port.runs import FinalStatus, RunStatus


async def open_batch(codec: Codec, batch: Batch) -> Batch:
    """A batch as its client knows it."""
    change = codec.at("batch", (batch.batch_id,), "metadata")
    return replace(
        batch,
        metadata=await codec.seal.open_fields(BATCH_METADATA, batch.metadata, change),
        webhook=await codec.seal.open_text(WEBHOOK, batch.webhook),
    )


class EncryptedBatches:
    """See `BatchStorage`."""

    def __init__(self, inner: BatchStorage, codec: Codec) -> None:
        self._inner = inner
        self._codec = codec
        self.state = inner.state
        self.delete = inner.delete
        self.stop_some = inner.stop_some
        self.cancelled = inner.cancelled
        self.end_late = inner.end_late
        self.next_late = inner.next_late
        self.forget = inner.forget
        self.remove_leftovers = inner.remove_leftovers

    async def get(self, scope: Scope, batch_id: str) -> Batch | None:
        return await self._opened(await self._inner.get(scope, batch_id))

    async def _opened(self, batch: Batch | None) -> Batch | None:
        return None if batch is None else await self._codec.run(open_batch(self._codec, batch))

    async def search(
        self,
        scope: Scope,
        *,
        statuses: Sequence[BatchStatus] | None,
        name: str | None,
        metadata: Mapping[str, Any] | None,
        limit: int,
        offset: int,
    ) -> list[Batch]:
        if metadata:
            refusing = self._codec.seal.refuse_sealed(context_of(scope), BATCH_METADATA, metadata, "metadata")
            await self._codec.run(refusing)
        found = await self._inner.search(
            scope, statuses=statuses, name=name, metadata=metadata, limit=limit, offset=offset
        )
        return await opened(self._codec, open_batch, found)

    async def runs(
        self, scope: Scope, batch_id: str, *, statuses: Sequence[RunStatus] | None, limit: int, offset: int
    ) -> list[Run] | None:
        runs = await self._inner.runs(scope, batch_id, statuses=statuses, limit=limit, offset=offset)
        return None if runs is None else await opened(self._codec, open_run, runs)

    async def request_cancel(self, scope: Scope, batch_id: str) -> Batch | None:
        return await self._opened(await self._inner.request_cancel(scope, batch_id))


class EncryptedResults:
    """See `ResultStorage`."""

    def __init__(self, inner: ResultStorage, codec: Codec) -> None:
        self._inner = inner
        self._codec = codec
        self.state = inner.state
        self.expire = inner.expire
        self.shrink = inner.shrink

    async def by_index(
        self, scope: Scope, batch_id: str, after: int, *, upto: int | None, statuses: Sequence[FinalStatus], size: int
    ) -> list[ItemResult]:
        found = await self._inner.by_index(scope, batch_id, after, upto=upto, statuses=statuses, size=size)
        return await opened(self._codec, partial(_open_result, batch_id), found)

    async def by_end(
        self, scope: Scope, batch_id: str, after: int, *, statuses: Sequence[FinalStatus], size: int
    ) -> list[ItemResult]:
        found = await self._inner.by_end(scope, batch_id, after, statuses=statuses, size=size)
        return await opened(self._codec, partial(_open_result, batch_id), found)

    async def failed(
        self, scope: Scope, batch_id: str, after: int, *, statuses: Sequence[FinalStatus], limit: int
    ) -> list[FailedItem]:
        found = await self._inner.failed(scope, batch_id, after, statuses=statuses, limit=limit)
        return await opened(self._codec, partial(_open_failed, batch_id), found)

    async def retry(self, scope: Scope, batch_id: str, retries: Sequence[ItemRetry]) -> RetryResult:
        codec, context = self._codec, context_of(scope)

        async def seal(retry: ItemRetry) -> ItemRetry:
            return replace(retry, new_run=await seal_new_run(codec, context, retry.new_run, scope.filter))

        sealed = await codec.run(each(seal, retries)) if retries else []
        return await self._inner.retry(await codec.run(seal_scope(codec, scope)), batch_id, sealed)


async def _open_result(batch_id: str, codec: Codec, result: ItemResult) -> ItemResult:
    custom_id, answer = result.custom_id, result.answer
    if isinstance(custom_id, dict) and MARK in custom_id:
        custom_id = (await codec.seal.open_fields(METADATA, {"custom_id": custom_id}))["custom_id"]
    if answer is not None:
        answer = await open_answer(codec, result.run_id, answer, (batch_id, str(result.index)))
    return replace(result, custom_id=custom_id, answer=answer)


async def _open_failed(batch_id: str, codec: Codec, item: FailedItem) -> FailedItem:
    return replace(
        item,
        webhook=await codec.seal.open_text(WEBHOOK, item.webhook),
        metadata=await codec.seal.open_fields(METADATA, item.metadata),
        kwargs=await open_kwargs(codec, item.kwargs, item.run_id, (batch_id, str(item.index))),
    )
