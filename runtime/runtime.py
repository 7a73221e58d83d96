"""The composition root: from settings to a running server, without any global."""

import asyncio
import os
import shutil
import tempfile
import uuid
from contextlib import AsyncExitStack
from importlib import metadata
from pathlib import Path
from typing import Any

from runyard.runtime.bus.unix_socket import LocalLink, SocketLink
from runyard.runtime.config.settings import Settings
from runyard.runtime.maintenance.duties import Upkeep
from runyard.runtime.processes.spawning import WorkerSpawner
from runyard.runtime.processes.supervisor import Supervisor
from runyard.runtime.services.assistants import Assistants
from runyard.runtime.services.inspector import LazyViews
from runyard.runtime.services.runs import Runs
from runyard.runtime.services.threads import Threads
from runyard.runtime.storage.data_dir import is_dead, lock_data_dir, lock_worker, make_storage
from runyard.runtime.streams.broker import Hub
from runyard.runtime.telemetry.metrics import Metrics
from runyard.runtime.webhooks.sender import WebhookSender

LONGEST_SOCKET_PATH = 100
"""Bytes that the system allows for the path of a Unix socket, with a margin."""


class Runtime:
    """A server without its web side. Use from one event loop; `start` before all else, `stop` last."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._storage = make_storage(settings)
        self._webhooks = WebhookSender(self._storage.deliveries, settings.project.webhooks)
        self._hub = Hub(self._storage, self.metrics, self._webhooks.wake)
        self._exits = AsyncExitStack()
        views = LazyViews(self._storage, settings.project)
        self.assistants = Assistants(self._storage, settings.project, views, self._hub)
        self.threads = Threads(self._storage, views, self._hub)
        self._upkeep = Upkeep(settings, self._storage, self._hub, self.threads)
        self.runs = Runs(self._storage, self._hub, self.assistants, settings.project.webhooks)
        self.metrics.connect(self._storage.queue.depth, self._hub.pids)

    async def start(self) -> None:
        """Opens the data directory and starts the workers, which load the graphs. Raises ConfigError."""
        exits = self._exits
        try:
            lock = lock_data_dir(self.settings)
            exits.callback(os.close, lock)
            processes = WorkerSpawner()  # imports its libraries while this process goes on
            self._storage.open(maintain=True)
            exits.callback(self._storage.close)
            await self.assistants.start()
            self._hub.start()
            exits.push_async_callback(self._hub.stop)
            await self._webhooks.start()
            exits.push_async_callback(self._webhooks.stop)
            await self._start_workers(processes)
            self._upkeep.start()
            exits.push_async_callback(self._upkeep.stop)
        except BaseException:
            await exits.aclose()
            raise

    async def stop(self) -> None:
        """Gives running runs the grace period, hands the rest back to the queue, ends all processes."""
        await self._exits.aclose()

    def drain(self) -> None:
        """Asks workers to claim no more and to finish what they run; `stop` follows."""
        self._hub.drain()

    async def _start_workers(self, processes: WorkerSpawner) -> None:
        socket = self.settings.data_dir.resolve() / "bus"
        if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
            folder = Path(tempfile.mkdtemp(prefix="runyard-"))
            self._exits.callback(shutil.rmtree, folder, ignore_errors=True)
            socket = folder / "bus"

        def connect() -> SocketLink:
            link = SocketLink(self._hub.receive, self._hub.detach)
            self._hub.attach(link)
            return link

        server = await asyncio.get_running_loop().create_unix_server(connect, str(socket))
        self._exits.callback(server.close)
        supervisor = Supervisor(self.settings, self._storage, self._hub, processes, socket)
        self._exits.push_async_callback(supervisor.stop)
        await supervisor.start()
        if self.settings.workers == 0:
            await self._start_local_worker()

    async def _start_local_worker(self) -> None:
        """`--workers 0`: everything in this process, for debuggers and small tests."""
        # Workers have these in processes of their own; here they would only take memory.
        from runyard.runtime.execution.executor import Executor
        from runyard.runtime.execution.worker import Worker
        from runyard.runtime.graphs.registry import Graphs
        from runyard.runtime.store.opening import open_store

        graphs = Graphs(self.settings.project)
        graphs.load()
        store = await open_store(self.settings, self._exits)
        name = f"local-{uuid.uuid4().hex[:12]}"
        self._exits.callback(is_dead, self.settings, name)
        self._exits.callback(os.close, lock_worker(self.settings, name))
        worker = Worker(name, self.settings, self._storage, Executor(graphs, self._storage, store), solo=False)
        to_worker = LocalLink(worker.receive)
        to_hub = LocalLink(lambda message: self._hub.receive(to_worker, message))
        worker.connect(to_hub)
        self._hub.attach(to_worker)
        task = asyncio.create_task(worker.run(), name=name)

        async def leave() -> None:
            worker.drain()
            await task
            self._hub.detach(to_worker)

        self._exits.push_async_callback(leave)

    async def healthy(self) -> None:
        """Raises Unavailable when the database does not answer."""
        await self._storage.check()

    def info(self) -> dict[str, Any]:
        """What the server is; clients choose what they can do by it."""
        return {
            "version": metadata.version("runyard"),
            "langgraph_py_version": metadata.version("langgraph"),
            "flags": {
                "assistants": True,
                "crons": False,
                "langsmith": False,
                "langsmith_tracing_replicas": False,
            },
            "metadata": {},  # a key that the interface asks for
            "host": {"kind": "self-hosted", "project_id": None, "revision_id": None, "tenant_id": None},
        }
