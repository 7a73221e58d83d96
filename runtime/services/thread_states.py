"""The states of threads: reading them, their history, and editing them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Final
from weakref import WeakValueDictionary

from runyard.generated.mappings import CheckpointConfig
from runyard.generated.models import ThreadStateSearch, ThreadStateUpdate
from runyard.runtime.errors import GraphNotLoaded, NotFound, RunyardError, Unavailable
from runyard.runtime.scope import Scope
from runyard.runtime.services.viewer import Viewer
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import StateReading
from runyard.runtime.streams.broker import Broker

logger = logging.getLogger(__name__)

SETTLE_WAIT: Final = 5.0
"""Seconds that showing a thread waits for what its latest run had reached."""
READINGS: Final = 3
"""How often a state is read that should be shown, while the server cannot read any."""


class ThreadStates:
    """The service behind the operations on states, which answers them as JSON. Edits of one thread are made one after
    the other."""

    def __init__(self, storage: Storage, viewer: Viewer, broker: Broker) -> None:
        self._storage = storage
        self._viewer = viewer
        self._broker = broker
        self._failed: Counter[str] = Counter()
        self._settling: dict[str, asyncio.Task[None]] = {}
        self._slow: set[str] = set()
        """Threads whose state takes long to read: who asks for them does not wait another time."""
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def state(
        self,
        scope: Scope,
        thread_id: str,
        checkpoint: CheckpointConfig | None = None,
        *,
        subgraphs: bool = False,
        select: Sequence[str] | None = None,
    ) -> bytes:
        """See `Views.state`."""
        graph_ids = await self._graphs_of(scope, thread_id)
        return await self._viewer.ask("state", scope, thread_id, graph_ids, checkpoint, subgraphs, select)

    async def history(self, scope: Scope, thread_id: str, request: ThreadStateSearch) -> bytes:
        """See `Views.history`."""
        graph_ids = await self._graphs_of(scope, thread_id)
        return await self._viewer.ask("history", scope, thread_id, graph_ids, request)

    async def update(self, scope: Scope, thread_id: str, request: ThreadStateUpdate) -> bytes:
        """See `Views.update`."""
        lock = self._locks.setdefault(thread_id, asyncio.Lock())
        async with lock:
            graph_ids = await self._graphs_of(scope, thread_id)
            written = await self._viewer.ask("update", scope, thread_id, graph_ids, request)
        self._broker.state_changed(thread_id)
        return written

    async def _graphs_of(self, scope: Scope, thread_id: str) -> list[str]:
        """The graphs whose state the thread may hold. Raises NotFound: no process has to be started to find out."""
        graph_ids = await self._storage.threads.graph_ids(scope, thread_id)
        if graph_ids is None:
            raise NotFound(f"Thread with ID {thread_id} not found")
        return graph_ids

    async def settle(self, limit: int) -> int:
        """Has up to `limit` threads show what their latest run had reached, where it ended without its worker; those
        whose state cannot be read keep what they show. Returns how many were looked at."""
        thread_ids = await self._storage.threads.unsettled(limit)
        for thread_id in thread_ids:
            await self._settle_once(thread_id)
        return len(thread_ids)

    async def settle_one(self, thread_id: str) -> None:
        """As `settle`, for a thread that is about to be shown. When that takes long, it is shown as it is."""
        if thread_id not in self._slow and await self._storage.threads.unsettled(1, thread_id):
            _, late = await asyncio.wait([self._settle_once(thread_id)], timeout=SETTLE_WAIT)
            if late:
                self._slow.add(thread_id)

    def _settle_once(self, thread_id: str) -> asyncio.Task[None]:
        """The reading that is under way, or a new one."""
        task = self._settling.get(thread_id)
        if task is None:
            task = self._settling[thread_id] = asyncio.create_task(self._settle(thread_id), name="settle a thread")
            task.add_done_callback(lambda _: self._settling.pop(thread_id, None))
        return task

    async def _settle(self, thread_id: str) -> None:
        try:
            settled = await self._viewer.ask("settle", thread_id) == b"true"
        except RunyardError as error:
            self._failed[thread_id] += 1
            again = isinstance(error, Unavailable) and not isinstance(error, GraphNotLoaded)
            if again and self._failed[thread_id] < READINGS:
                return
            logger.warning("thread %s keeps what it shows: %s", thread_id, error.detail)
            settled = await self._storage.threads.settle(thread_id, StateReading())
        self._failed.pop(thread_id, None)
        self._slow.discard(thread_id)
        if settled:
            self._broker.state_changed(thread_id)
