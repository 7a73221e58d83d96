"""The states of threads: reading them, their history, and editing them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakValueDictionary

from runyard.generated.mappings import CheckpointConfig
from runyard.generated.models import ThreadState, ThreadStateSearch, ThreadStateUpdate
from runyard.runtime.checkpoints.thread_graph import ThreadGraph
from runyard.runtime.errors import BadRequest, GraphNotLoaded, NotFound, RunyardError, Unavailable
from runyard.runtime.services.inspector import Inspection, Inspector
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.threads import StateReading
from runyard.runtime.streams.broker import Broker

logger = logging.getLogger(__name__)

READINGS: Final = 3
"""How often a state is read that should be shown, while the server cannot read any."""


class ThreadStates:
    """The service behind the operations on states. Edits of one thread are made one after the other."""

    def __init__(self, storage: Storage, inspector: Inspector, broker: Broker) -> None:
        self._storage = storage
        self._inspector = inspector
        self._broker = broker
        self._failed: Counter[str] = Counter()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def state(
        self, thread_id: str, checkpoint: CheckpointConfig | None = None, *, subgraphs: bool = False
    ) -> ThreadState:
        """The latest state, or that at a checkpoint; one that does not exist has an empty state (observed at
        GET /threads/{thread_id}/state/{checkpoint_id}). `subgraphs` puts the states of subgraphs that are under
        way into their tasks. Raises NotFound."""
        inspection = await self._inspector.loaded()
        thread = await self._graph_of(thread_id, inspection)
        if thread is None:
            return _empty_state(thread_id, checkpoint)
        return await inspection.states.state(thread, checkpoint, subgraphs=subgraphs)

    async def history(self, thread_id: str, request: ThreadStateSearch) -> list[ThreadState]:
        """The states of the thread, or of the subgraph or the checkpoint that is named, newest first. Raises
        NotFound."""
        inspection = await self._inspector.loaded()
        thread = await self._graph_of(thread_id, inspection)
        return [] if thread is None else await inspection.states.history(thread, request)

    async def update(self, thread_id: str, request: ThreadStateUpdate) -> dict[str, Any]:
        """Writes a new state through the graph's reducers; answers where it is.

        Raises NotFound for a thread or a checkpoint that there is not, Conflict while runs are under way,
        BadRequest for what the graph does not take.
        """
        inspection = await self._inspector.loaded()
        thread = await self._graph_of(thread_id, inspection)
        if thread is None:
            raise BadRequest(no_graph(thread_id))
        lock = self._locks.setdefault(thread_id, asyncio.Lock())
        async with lock:
            address, edit = await inspection.states.stage_update(thread, request)
            await self._storage.threads.edit_state(thread_id, edit)
        self._broker.state_changed(thread_id)
        return {"checkpoint": address, "configurable": address, "checkpoint_id": address.get("checkpoint_id")}

    async def settle(self, limit: int) -> int:
        """Has up to `limit` threads show what their latest run had reached, where it ended without its worker; those
        whose state cannot be read keep what they show. Returns how many were looked at."""
        thread_ids = await self._storage.threads.unsettled(limit)
        for thread_id in thread_ids:
            reading = await self._reading(thread_id)
            if reading is not None and await self._storage.threads.settle(thread_id, reading):
                self._broker.state_changed(thread_id)
        return len(thread_ids)

    async def _reading(self, thread_id: str) -> StateReading | None:
        """None: it is to be tried again later, or the thread is not there any more."""
        try:
            inspection = await self._inspector.loaded()
            thread = await self._graph_of(thread_id, inspection)
            reading = StateReading() if thread is None else await inspection.states.reading(thread)
        except RunyardError as error:
            self._failed[thread_id] += 1
            again = isinstance(error, Unavailable) and not isinstance(error, GraphNotLoaded)
            if again and self._failed[thread_id] < READINGS:
                return None
            logger.warning("thread %s keeps what it shows: %s", thread_id, error.detail)
            reading = StateReading()
        self._failed.pop(thread_id, None)
        return reading

    async def _graph_of(self, thread_id: str, inspection: Inspection) -> ThreadGraph | None:
        """The graph whose state the thread holds; None when no run or client has named one."""
        candidates = await self._storage.threads.graph_ids(thread_id)
        if candidates is None:
            raise NotFound(f"Thread with ID {thread_id} not found")
        served = [graph_id for graph_id in candidates if graph_id in inspection.graphs.names]
        graph_id = next(iter(served or candidates), None)
        if graph_id is None:
            return None
        configurable: Mapping[str, Any] = {}
        if inspection.graphs.is_factory(graph_id):
            # What the latest run was configured with: the factory makes the same graph from it.
            runs = await self._storage.runs.of_thread(thread_id, limit=1, offset=0, status=None)
            configurable = runs[0].kwargs["config"]["configurable"] if runs else {}
        return ThreadGraph(thread_id, graph_id, configurable)


def no_graph(thread_id: str) -> str:
    """Why a thread has no state to edit, and the remedy."""
    return (
        f"Thread '{thread_id}' has no assigned graph ID: no run was made on it, and its metadata names no graph. "
        "Make a run first, or set 'graph_id' in the thread's metadata."
    )


def _empty_state(thread_id: str, asked: CheckpointConfig | None) -> ThreadState:
    """The state of a thread on which nothing has run. The id of a checkpoint that was asked for is answered."""
    checkpoint_id = None if asked is None else asked.get("checkpoint_id")
    checkpoint: CheckpointConfig | None = (
        {"checkpoint_id": checkpoint_id, "thread_id": thread_id} if checkpoint_id else None
    )
    return ThreadState(
        values={},
        next=[],
        tasks=[],
        checkpoint=checkpoint,
        metadata=None,
        created_at=None,
        parent_checkpoint=None,
        interrupts=[],
        checkpoint_id=checkpoint_id,
        parent_checkpoint_id=None,
    )
