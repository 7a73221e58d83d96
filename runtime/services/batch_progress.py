"""Batches as they change, for those who watch them: one look at a batch serves all of them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple
from typing import Final

import orjson

from runyard.generated.models import Batch
from runyard.runtime.errors import Unavailable
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.batches import BatchState, BatchStorage
from runyard.runtime.streams.events import Event

LOOK: Final = 0.25
"""Seconds between two looks at a batch, and so at least between two events of it."""


class BatchSubscription:
    """One who watches a batch. Whoever is slow sees less of it: only the latest state is kept."""

    def __init__(self, watch: "BatchWatch", batch: Batch) -> None:
        self._watch = watch
        self._first: Event | None = _event(batch)
        self._seen = watch.number

    async def next(self, timeout: float) -> list[Event] | None:
        """The batch, at first and whenever it has changed; nothing after `timeout` seconds without a change; None
        behind its end."""
        if self._first is not None:
            first, self._first = self._first, None
            return [first]
        if self._seen == self._watch.number and not self._watch.ended:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._watch.change.wait(), timeout)
        if self._seen == self._watch.number:
            return None if self._watch.ended else []
        self._seen = self._watch.number
        assert self._watch.latest is not None
        return [self._watch.latest]

    async def close(self) -> None:
        """Ends the subscription."""
        self._watch.leave(self)


class BatchWatch:
    """Looks at one batch for as long as anybody watches it and it has not ended.

    `change` is set with the next change; `number` counts them, and `latest` is what they came to.
    """

    def __init__(self, storage: BatchStorage, batch: Batch, forget: Callable[[], None]) -> None:
        self._storage = storage
        self._batch_id = batch.batch_id
        self._forget = forget
        self._subscriptions: set[BatchSubscription] = set()
        self._state: BatchState | None = _state_of(batch)
        self.change = asyncio.Event()
        self.number = 0
        self.latest: Event | None = None
        self.ended = batch.ended_at is not None
        self._task: asyncio.Task[None] | None = None
        if not self.ended:
            self._task = asyncio.create_task(self._look(), name=f"progress of batch {self._batch_id}")

    def join(self, batch: Batch) -> BatchSubscription:
        """Another one who watches, and has seen `batch`."""
        subscription = BatchSubscription(self, batch)
        self._subscriptions.add(subscription)
        return subscription

    def leave(self, subscription: BatchSubscription) -> None:
        """They watch no more."""
        self._subscriptions.discard(subscription)
        if not self._subscriptions:
            self._forget()
            if self._task is not None:
                self._task.cancel()

    async def _look(self) -> None:
        try:
            while not self.ended:
                await asyncio.sleep(LOOK)
                with suppress(Unavailable):  # it is looked at again
                    state = await self._storage.state(Scope.everything(), self._batch_id)
                    if state is None or state != self._state:
                        batch = await self._storage.get(Scope.everything(), self._batch_id)
                        self._state = state
                        self._show(batch)
        finally:  # whatever happens: who watches must not wait for a change that nobody looks for
            self.ended = True
            self.change.set()
            self._forget()

    def _show(self, batch: Batch | None) -> None:
        self.latest = _event(batch)
        self.ended = batch is None or batch.ended_at is not None
        self.number += 1
        self.change.set()
        self.change = asyncio.Event()


class BatchProgress:
    """All batches that are watched."""

    def __init__(self, storage: BatchStorage) -> None:
        self._storage = storage
        self._watches: dict[str, BatchWatch] = {}

    def follow(self, batch: Batch) -> BatchSubscription:
        """Begins with the batch as it is."""
        watch = self._watches.get(batch.batch_id)
        if watch is None or watch.ended != (batch.ended_at is not None):
            watch = BatchWatch(self._storage, batch, lambda: self._end(watch))
            self._watches[batch.batch_id] = watch
        return watch.join(batch)

    def _end(self, watch: BatchWatch | None) -> None:
        for batch_id in [batch_id for batch_id, known in self._watches.items() if known is watch]:
            del self._watches[batch_id]


def _state_of(batch: Batch) -> BatchState:
    counts, tokens = astuple(batch.counts), astuple(batch.tokens)
    return BatchState((*counts, *tokens), batch.cancelled_at is not None, batch.ended_at is not None)


def _event(batch: Batch | None) -> Event:
    ended = batch is None or batch.ended_at is not None
    return Event("end" if ended else "progress", orjson.dumps(batch))
