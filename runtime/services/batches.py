"""Batches: followed, cancelled, removed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec
from uuid_utils import uuid7

from runyard.generated.models import Batch, BatchRetryPolicy, BatchStatus, Run, RunStatus
from runyard.runtime.errors import Conflict, Invalid, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.services.batch_progress import BatchProgress, BatchSubscription
from runyard.runtime.services.new_runs import RunRules
from runyard.runtime.services.paging import Page, page_of
from runyard.runtime.storage.port.runs import NewBatch
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.broker import Broker
from runyard.runtime.webhooks.targets import check_target

T = TypeVar("T")

STOPPED_TOGETHER: Final = 50
"""Runs that one transaction stops: other writes must get in between."""
CANCEL_WAIT: Final = 6.0
"""Seconds after which a request to cancel is answered; a little more than workers get to stop a run."""
CANCEL_LOOK: Final = 0.1
"""Seconds between two looks at a batch that is being stopped."""
BATCHES_TOGETHER: Final = 20
"""Batches whose stopping is taken up again in one step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """What a client asks for a batch as a whole; None: nothing. `retry` fits the schema of retry policies."""

    name: str | None = None
    metadata: Mapping[str, Any] | None = None
    webhook: str | None = None
    max_concurrency: int | None = None
    start_within: float | None = None
    finish_within: float | None = None
    retry: Mapping[str, Any] | None = None
    result_ttl: float | None = None


NO_OPTIONS: Final = BatchOptions()


@dataclass(frozen=True, slots=True)
class AcceptedBatch:
    """A batch that was written, and its runs in order."""

    batch_id: str
    runs: list[Run]


def new_batch(options: BatchOptions, rules: RunRules) -> NewBatch:
    """A batch to be written. Raises Invalid for a webhook that may not be called."""
    webhook = rules.called(options.webhook)
    if webhook is not None:
        try:
            check_target(webhook, rules.webhooks)
        except Invalid as error:
            raise Invalid(f"header.X-Batch-Webhook: {error.detail.removeprefix('webhook: ')}") from None
    retry = None
    if options.retry is not None:  # with what it does not say
        retry = msgspec.to_builtins(msgspec.convert(options.retry, BatchRetryPolicy, strict=False))
    return NewBatch(
        batch_id=str(uuid7()),
        name=options.name,
        metadata=dict(options.metadata or {}),
        webhook=webhook,
        max_concurrency=options.max_concurrency,
        start_within=options.start_within,
        finish_within=options.finish_within,
        retry=retry,
        result_ttl=options.result_ttl,
    )


def _found(found: T | None, batch_id: str) -> T:
    if found is None:
        raise NotFound(f"Batch with ID {batch_id} not found")
    return found


class Batches:
    """The service behind the operations on batches."""

    def __init__(self, storage: Storage, broker: Broker) -> None:
        self._storage = storage
        self._broker = broker
        self._progress = BatchProgress(storage.batches)

    async def search(
        self,
        scope: Scope,
        *,
        statuses: Sequence[BatchStatus] | None,
        name: str | None,
        metadata: Mapping[str, Any] | None,
        limit: int,
        offset: int,
    ) -> Page[Batch]:
        """One page of the batches that match, newest first."""
        found = await self._storage.batches.search(
            scope, statuses=statuses, name=name, metadata=metadata, limit=limit + 1, offset=offset
        )
        return page_of(found, limit=limit, offset=offset)

    async def get(self, scope: Scope, batch_id: str) -> Batch:
        """Raises NotFound."""
        return _found(await self._storage.batches.get(scope, batch_id), batch_id)

    async def runs(
        self, scope: Scope, batch_id: str, *, statuses: Sequence[RunStatus] | None, limit: int, offset: int
    ) -> Page[Run]:
        """One page of the runs of a batch, in its order. Raises NotFound."""
        found = await self._storage.batches.runs(scope, batch_id, statuses=statuses, limit=limit + 1, offset=offset)
        return page_of(_found(found, batch_id), limit=limit, offset=offset)

    async def follow(self, scope: Scope, batch_id: str) -> BatchSubscription:
        """The batch as it changes, until its end. Raises NotFound."""
        return self._progress.follow(await self.get(scope, batch_id))

    async def cancel(self, scope: Scope, batch_id: str) -> Batch:
        """Stops what has not ended of a batch. Returns when all has, or after some seconds; the rest is seen to all the
        same. Raises NotFound."""
        batch = _found(await self._storage.batches.request_cancel(scope, batch_id), batch_id)
        end = asyncio.get_running_loop().time() + CANCEL_WAIT
        if batch.ended_at is None:
            await self._stop(batch_id, end)
        while batch.ended_at is None and asyncio.get_running_loop().time() < end:
            state = await self._storage.batches.state(scope, batch_id)
            if state is None or state.ended:
                break
            await asyncio.sleep(CANCEL_LOOK)
        return await self.get(scope, batch_id)

    async def stop_cancelled(self) -> bool:
        """Goes on with what is to be stopped, also after a crash. Whether there is any."""
        batches = await self._storage.batches.cancelled(BATCHES_TOGETHER)
        for batch_id in batches:
            await self._stop(batch_id)
        return bool(batches)

    async def _stop(self, batch_id: str, end: float | None = None) -> None:
        after: int | None = -1
        while after is not None and (end is None or asyncio.get_running_loop().time() < end):
            stopped = await self._storage.batches.stop_some(batch_id, after, STOPPED_TOGETHER)
            self._broker.announce_cancellation(stopped.result, "interrupt")
            after = stopped.after

    async def end_late(self, limit: int) -> bool:
        """Ends what has not begun, or not ended, in the time that its batch was given; whether there may be more."""
        late = await self._storage.batches.end_late(limit)
        self._broker.runs_ended_unasked(late.ended, 0.0)
        return late.more

    async def next_late(self) -> float | None:
        """Seconds until something may be late; None: nothing will be."""
        return await self._storage.batches.next_late()

    async def delete(self, scope: Scope, batch_id: str) -> None:
        """Removes a batch. Raises NotFound, and Conflict for one that has not ended."""
        if not _found(await self._storage.batches.delete(scope, batch_id), batch_id):
            raise Conflict(
                f"Batch {batch_id} has runs that have not ended. Wait for them, or cancel it "
                f"(POST /batches/{batch_id}/cancel), then delete it."
            )

    async def forget(self, older_than: float, limit: int) -> int:
        """Removes some of the batches that ended so many seconds ago; how many."""
        return await self._storage.batches.forget(older_than, limit)

    async def remove_leftovers(self) -> bool:
        """Removes some of what deleted batches left; whether there may be more."""
        return await self._storage.batches.remove_leftovers()
