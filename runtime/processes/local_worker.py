"""The worker of a server with `--workers 0`: everything in one process, for debuggers and small tests."""

from __future__ import annotations

import asyncio

from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.local import LocalWorkerBus
from runyard.runtime.bus.messages import GraphsLoaded
from runyard.runtime.config.settings import Settings
from runyard.runtime.execution.executor import Executor
from runyard.runtime.execution.node_pool import NodePool
from runyard.runtime.execution.worker import Worker
from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.store.fenced import FencedStore
from runyard.runtime.store.index import Index
from runyard.runtime.telemetry.tracing import Tracing


class LocalWorker:
    """Executes runs in the event loop that it is made in."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        storage: Storage,
        graphs: Graphs,
        *,
        index: Index | None,
        tracing: Tracing | None,
        bus: LinkedBus,
        loops: Loops,
    ) -> None:
        """Tells the server at once which graphs there are; nothing is executed yet."""
        loop, project = asyncio.get_running_loop(), settings.project
        loop.set_default_executor(NodePool(settings.concurrency))
        self._name = name
        self._workers = storage.workers
        self._workers.register(name)
        store = FencedStore(storage.store, loop, project.store_ttl, index)
        executor = Executor(graphs, storage, store, run_timeout=settings.run_timeout, tracing=tracing)
        self._worker = Worker(name, settings, storage, executor, solo=False, loops=loops)
        self._running: asyncio.Task[None] | None = None
        end = LocalWorkerBus(bus)
        end.send(GraphsLoaded(graphs.own_names, graphs.not_loaded))
        self._worker.connect(end)

    async def run_until_ready(self, ready: asyncio.Event) -> None:
        """Begins to execute; returns when the server knows of it, or it has ended."""
        self._running = asyncio.create_task(self._worker.run(), name=self._name)
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({waiting, self._running}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()

    async def leave(self) -> None:
        """Claims nothing more, and gives running runs the grace period."""
        if self._running is not None:
            self._worker.drain()
            await self._running

    def close(self) -> None:
        """After `leave`: it is no worker any more."""
        self._workers.unregister(self._name)
