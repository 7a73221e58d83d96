"""The composition root: from settings to a running server, without any global."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from runyard.runtime.auth.inner_requests import InnerAddress
from runyard.runtime.background.forks import keep_port_from_children
from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.port import ServerBus
from runyard.runtime.bus.workers import Workers
from runyard.runtime.config.project import Project
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import Unavailable
from runyard.runtime.maintenance.cron_scheduler import CronScheduler
from runyard.runtime.maintenance.duties import all_duties
from runyard.runtime.maintenance.maintenance import Maintenance
from runyard.runtime.own_workers import OwnWorkers
from runyard.runtime.peered_bus import peered_bus
from runyard.runtime.processes.event_loop import run
from runyard.runtime.processes.leaving import leave
from runyard.runtime.processes.own_folder import OwnFolder
from runyard.runtime.processes.own_socket import OwnSocket
from runyard.runtime.processes.reload import Reloader
from runyard.runtime.processes.spawning import WorkerSpawner
from runyard.runtime.processes.viewers import Viewers
from runyard.runtime.project_code import ProjectCode
from runyard.runtime.services.assistants import Assistants
from runyard.runtime.services.batch_results import BatchResults
from runyard.runtime.services.batches import Batches
from runyard.runtime.services.crons import Crons
from runyard.runtime.services.encryption import RequestContexts
from runyard.runtime.services.health import Health
from runyard.runtime.services.idempotency import Idempotency
from runyard.runtime.services.local_viewer import LocalViewer
from runyard.runtime.services.new_runs import RunRules
from runyard.runtime.services.runs import Runs
from runyard.runtime.services.sign_ins import SignIns
from runyard.runtime.services.store import Store
from runyard.runtime.services.system import System
from runyard.runtime.services.thread_events import ThreadEvents
from runyard.runtime.services.thread_states import ThreadStates
from runyard.runtime.services.threads import Threads
from runyard.runtime.services.ui import Ui
from runyard.runtime.storage.backends import make_storage, modules_of, place_of
from runyard.runtime.storage.encrypted.storage import EncryptedStorage, encrypted
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.streams.broker import Broker
from runyard.runtime.telemetry.logs import keep_logging
from runyard.runtime.telemetry.loop_lag import LoopLag
from runyard.runtime.telemetry.metrics import Metrics
from runyard.runtime.telemetry.tracing import open_tracing
from runyard.runtime.webapp.loading import WebApp
from runyard.runtime.webhooks.sender import WebhookSender

if TYPE_CHECKING:
    from runyard.runtime.auth.requests import Authenticator


def run_main(main: Coroutine[Any, Any, None]) -> None:
    """Runs the main coroutine of a server, in whose event loop graphs may run too (`--workers 0`): what they raise or
    do to it does not end it. Signals are the coroutine's business."""
    run(main)


class Runtime:
    """A server without its web side. Use from one event loop; `start` before all else, `stop` last."""

    def __init__(self, settings: Settings) -> None:
        """The project's code for encryption is imported here; before an event loop runs. Raises ConfigError."""
        # Code of graphs may change the working directory.
        settings = replace(settings, data_dir=settings.data_dir.absolute())
        self.settings = settings
        self.metrics = Metrics()
        self.tracing = open_tracing(settings.project.env)
        self._loops = Loops()
        project, webhooks = settings.project, settings.project.webhooks
        self.data_place = place_of(settings)
        """Where everything is kept, for people."""
        self._folder = OwnFolder(settings)
        self._inner_socket = OwnSocket(self._folder.path, "inner", self._loops)
        self.inner_address = InnerAddress(self._inner_socket.path, secrets.token_bytes(32))
        self._code = ProjectCode(settings, self.inner_address, self.tracing)
        self._storage = encrypted(make_storage(settings, self.metrics, self._loops), self._code.encryption)
        self.encryption: RequestContexts | None = None
        """The contexts in which requests have their data encrypted; None: nothing is."""
        if isinstance(self._storage, EncryptedStorage):
            self.encryption = RequestContexts(self._storage.handlers, self._storage.loop)
            keep_logging()
        expiry = None
        if project.thread_ttl.minutes is not None:
            expiry = Expiry(project.thread_ttl.strategy, project.thread_ttl.minutes)
        self._webhooks = WebhookSender(
            self._storage.deliveries, webhooks, count=self.metrics.webhook_tried, loops=self._loops
        )
        self._links = LinkedBus()
        self._peers = peered_bus(settings, self._links, self._loops)
        self._bus: ServerBus = self._links if self._peers is None else self._peers
        self._workers = Workers(self._bus, self._webhooks.wake)
        self._broker = Broker(self._storage, self._bus, self._workers, self.metrics, self._loops)
        self._viewer = viewer = LocalViewer(settings, self._storage) if settings.works_here else Viewers(settings)
        health = Health(self._loops, self._workers, settings.worker_processes)
        self.system = System(self._storage, health, settings)
        self.assistants = Assistants(self._storage, project, viewer, self._broker)
        self.thread_states = ThreadStates(self._storage, viewer, self._broker)
        idempotency = Idempotency(self._storage.idempotency, self._storage.threads)
        self.threads = Threads(self._storage, viewer, self.thread_states, self._broker, idempotency, expiry)
        self.store = Store(self._storage, project, viewer)
        self.ui = Ui(settings, self._loops)
        self.sign_ins = SignIns(self._storage.sign_ins)
        secret = self._peers is not None and self.encryption is not None
        rules = RunRules(webhooks=webhooks, expiry=expiry, stores_streams=secret)
        self.runs = Runs(self._storage, self._broker, self._workers, self.assistants, rules, idempotency)
        self.thread_events = ThreadEvents(self._storage, self._broker)
        self.batches = Batches(self._storage, self._broker)
        scheduler = CronScheduler(
            self._storage.crons, self.assistants, rules, self._workers, self._broker, self.metrics.cron_due
        )
        self.crons = Crons(
            self._storage.crons, self.assistants, rules, idempotency, lambda: self._maintenance.wake(scheduler)
        )
        self.batch_results = BatchResults(self._storage, self._workers, rules)
        duties = all_duties(
            settings,
            self._storage,
            self._workers,
            self._broker,
            batches=self.batches,
            threads=self.threads,
            thread_states=self.thread_states,
            store=self.store,
        )
        self._maintenance = Maintenance([scheduler, *duties], self._loops)
        self._own_workers = OwnWorkers(
            settings,
            self._storage,
            self._broker,
            self._workers,
            self._code,
            self._folder,
            bus=self._links,
            loops=self._loops,
            tracing=self.tracing,
        )
        self._exits = AsyncExitStack()
        self._accept_inner: Callable[[], asyncio.BaseProtocol] | None = None
        self._reaching: asyncio.Task[None] | None = None
        self._aborted = False
        queue = self._storage.queue
        self.metrics.connect(queue.depth, queue.waits, self._workers.pids, settings.worker_processes, self._loops)
        if self._peers is not None:
            self.metrics.shared.connect(self._storage.workers.machines, self._peers)

    @property
    def not_loaded(self) -> dict[str, str]:
        """Graphs that cannot be served, and why; known after `start`."""
        return self._workers.not_loaded

    @property
    def authenticator(self) -> Authenticator | None:
        """Finds out who makes requests; None: nobody has to say who they are. The project's code for it is imported the
        first time; before an event loop runs. Raises ConfigError."""
        return self._code.authenticator

    @property
    def web_app(self) -> WebApp | None:
        """The project's own application; None: it has none. Imported as `authenticator` is. Raises ConfigError."""
        return self._code.web_app

    def load_graphs(self) -> None:
        """With `--workers 0`, loads the graphs; before an event loop runs: their modules may run one. Raises
        ConfigError. `start` sees to it if nobody has."""
        if self.settings.works_here:
            self._code.load_graphs()

    def accept_inner(self, accept: Callable[[], asyncio.BaseProtocol]) -> None:
        """What makes the protocol of a connection on which code of this server makes requests. Before `start`; without
        it there are none."""
        self._accept_inner = accept

    async def start(self) -> None:
        """Opens the data directory and starts the workers, which load the graphs. Raises ConfigError."""
        exits = self._exits
        if self.tracing is not None:
            exits.push_async_callback(asyncio.to_thread, self.tracing.close)
        try:
            lag = LoopLag(self.metrics.loop_lagged)
            lag.start()
            exits.callback(lag.stop)
            await self._reach_storage()
            self._storage.open(maintain=True)
            exits.callback(self._storage.close)
            index = self.settings.project.store_index
            await self._storage.store.ready(dims=None if index is None else index.dims)
            self._folder.take(await self._storage.workers.alive())
            exits.callback(self._folder.leave)
            await self._listen_inside()
            # Imports its libraries while this process continues.
            spawner = WorkerSpawner(self._folder.path, self.inner_address, also=modules_of(self.settings))
            self._broker.start()
            exits.push_async_callback(self._broker.stop)
            if self._peers is not None:
                exits.push_async_callback(self._peers.stop)
                await self._peers.start()
            if isinstance(self._viewer, Viewers):
                self._viewer.start(spawner)
            exits.push_async_callback(self._viewer.stop)
            exits.callback(self._workers.stop)
            if self.settings.project.webhooks.enabled:
                await self._webhooks.start()
                exits.push_async_callback(self._webhooks.stop)
            exits.push_async_callback(self._code.leave_web_app)  # when no run needs any more what it holds
            if self.settings.project.app is not None:
                await self.assistants.start({})  # lifespans in workers may ask for them
            local = await self._own_workers.start(spawner, exits)
            await self.assistants.start(await self._own_workers.graph_names(self._viewer))
            if self.web_app is not None:
                await self.web_app.lifespan.enter()
            if local is not None:
                exits.push_async_callback(local.leave)
                await local.run_until_ready(self._workers.first_ready)
            await self.ui.start()
            exits.push_async_callback(self.ui.stop)
            self._maintenance.start()
            exits.push_async_callback(self._maintenance.stop)
            if self.settings.reload:
                sys.dont_write_bytecode = True  # see `worker_main.work`
                reloader = Reloader(self.settings.project, self._serve, self._loops)
                exits.push_async_callback(reloader.stop)
                await reloader.start()
        except BaseException:
            await exits.aclose()
            raise

    async def stop(self) -> None:
        """Gives running runs the grace period, hands the rest back to the queue, ends all processes."""
        await self._exits.aclose()

    def keep_from_children(self, port: int) -> None:
        """Processes that code of graphs forks from this one are not to hold the sockets of the port."""
        keep_port_from_children(port)

    def leave(self, code: int = 0) -> NoReturn:
        """Ends the process, after `stop`, or when that cannot come to its end: what code of graphs has left in it,
        pools and pool threads, is not waited for."""
        leave(code)

    async def _reach_storage(self) -> None:
        self._reaching = asyncio.create_task(self._storage.reach())
        try:
            await self._reaching
        except asyncio.CancelledError:
            if not self._aborted:
                raise
            raise Unavailable("it was stopped before the database could be reached") from None

    def abort_start(self) -> None:
        """Ends what `start` waits for in this process: a database that is away, code of the project that may never come
        to an end."""
        self._aborted = True
        if self._reaching is not None:
            self._reaching.cancel()
        self._code.abort_start()

    def drain(self) -> None:
        """Asks workers to claim no more and to finish what they run; `stop` follows."""
        self._workers.drain()

    async def _serve(self, project: Project) -> None:
        """Serves the project as it is after a change. Raises ConfigError when it cannot be; then all stays."""
        settings = replace(self.settings, project=project)
        changed = await self._code.load_changed(project)
        try:
            await self._own_workers.replace(settings)
        except BaseException:
            await changed.drop()
            raise
        await self._code.use(changed)
        self.settings = settings
        assert isinstance(self._viewer, Viewers)
        await self._viewer.reload(settings)
        self.store.serve(project)
        self.ui.serve(project)
        await self.assistants.serve(project, self._workers.graph_names)

    async def _listen_inside(self) -> None:
        self._exits.push_async_callback(self._inner_socket.stop)
        if self._accept_inner is not None:
            await self._inner_socket.start(self._accept_inner)
        self._code.serve_clients()
