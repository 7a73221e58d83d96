"""The workers of a server: processes of their own, one within its process (`--workers 0`), or none (`--role api`)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

import orjson

from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.messages import GraphsLoaded
from runyard.runtime.bus.unix_socket import accept_worker
from runyard.runtime.bus.workers import Workers
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import ConfigError
from runyard.runtime.processes.own_folder import OwnFolder
from runyard.runtime.processes.own_socket import OwnSocket
from runyard.runtime.processes.spawning import WorkerSpawner
from runyard.runtime.processes.supervisor import Supervisor
from runyard.runtime.processes.viewer_process import NothingLoaded
from runyard.runtime.project_code import ProjectCode
from runyard.runtime.services.viewer import Viewer
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.streams.broker import Broker
from runyard.runtime.telemetry.langsmith import send_last_traces
from runyard.runtime.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from runyard.runtime.processes.local_worker import LocalWorker


class OwnWorkers:
    """Started once, and replaced as often as the project changes."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        broker: Broker,
        workers: Workers,
        code: ProjectCode,
        folder: OwnFolder,
        *,
        bus: LinkedBus,
        loops: Loops,
        tracing: Tracing | None,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._broker = broker
        self._workers = workers
        self._code = code
        self._folder = folder
        self._bus = bus
        self._loops = loops
        self._tracing = tracing
        self._supervisor: Supervisor | None = None

    async def start(self, spawner: WorkerSpawner, exits: AsyncExitStack) -> LocalWorker | None:
        """Starts them, and has `exits` end them; with `--workers 0` gives the one of this process, which is not yet
        running. Raises ConfigError, or Unavailable when they end before they are ready."""
        socket = OwnSocket(self._folder.path, "bus", self._loops)
        exits.push_async_callback(socket.stop)
        await socket.start(partial(accept_worker, self._bus))
        local = f"local-{uuid.uuid4().hex[:12]}" if self._settings.works_here else None
        if local is not None:
            self._folder.note_worker(local)
        self._supervisor = supervisor = Supervisor(
            self._settings, self._storage, self._broker, self._workers, spawner, socket.path, self._loops, local=local
        )
        exits.push_async_callback(supervisor.stop)
        await supervisor.start(self._folder.ended)
        if local is None:
            return None
        from runyard.runtime.processes.local_worker import LocalWorker

        graphs = await asyncio.to_thread(self._code.load_graphs)
        exits.push_async_callback(asyncio.to_thread, send_last_traces)
        worker = LocalWorker(
            local,
            self._settings,
            self._storage,
            graphs,
            index=self._code.index,
            tracing=self._tracing,
            bus=self._bus,
            loops=self._loops,
        )
        exits.callback(worker.close)
        return worker

    async def replace(self, settings: Settings) -> None:
        """See `Supervisor.replace_workers`."""
        assert self._supervisor is not None
        await self._supervisor.replace_workers(settings)

    async def graph_names(self, viewer: Viewer) -> Mapping[str, str]:
        """What graphs call themselves, as far as that is known before they are run. Where no worker has loaded them for
        this server, `viewer` does. Raises ConfigError when it cannot."""
        if self._code.graphs is not None:
            return self._code.graphs.own_names
        if self._settings.role == "api":
            try:
                loaded = orjson.loads(await viewer.ask("graphs"))
            except NothingLoaded as error:
                raise ConfigError(error.detail) from None
            self._workers.heard(None, GraphsLoaded(loaded["names"], loaded["not_loaded"]))
            if self._settings.strict and loaded["not_loaded"]:
                raise ConfigError(next(iter(loaded["not_loaded"].values())))
        return self._workers.graph_names
