"""The composition root: from settings to a running server, without any global."""

from __future__ import annotations

import asyncio
import secrets
import sys
import uuid
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from runyard.runtime.auth.custom import CustomAuthentication
from runyard.runtime.auth.inner_requests import InnerAddress
from runyard.runtime.background.forks import keep_port_from_children
from runyard.runtime.background.rounds import Loops
from runyard.runtime.bus.linked import LinkedBus
from runyard.runtime.bus.peers.bus import PeeredBus
from runyard.runtime.bus.port import ServerBus
from runyard.runtime.bus.unix_socket import accept_worker
from runyard.runtime.bus.workers import Workers
from runyard.runtime.config.project import Project
from runyard.runtime.config.settings import Settings
from runyard.runtime.encryption.handlers import Handlers
from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.graphs.loading import forget_modules
from runyard.runtime.graphs.script_thread import like_a_main_thread
from runyard.runtime.maintenance.batches import CancelledBatches, LateItems, OldBatches
from runyard.runtime.maintenance.cron_scheduler import CronScheduler
from runyard.runtime.maintenance.delayed_runs import DelayedRuns
from runyard.runtime.maintenance.deleted_threads import DeletedThreads
from runyard.runtime.maintenance.duty import Duty
from runyard.runtime.maintenance.event_retention import EventRetention
from runyard.runtime.maintenance.idempotency_keys import IdempotencyKeys
from runyard.runtime.maintenance.maintenance import Maintenance
from runyard.runtime.maintenance.outcomes import Outcomes
from runyard.runtime.maintenance.overdue_runs import OverdueRuns, UnstoppedRuns
from runyard.runtime.maintenance.result_retention import ResultRetention
from runyard.runtime.maintenance.store_expiry import StoreExpiry
from runyard.runtime.maintenance.store_indexing import StoreIndexing
from runyard.runtime.maintenance.thread_expiry import ThreadExpiry
from runyard.runtime.maintenance.unsettled_threads import UnsettledThreads
from runyard.runtime.processes.event_loop import run
from runyard.runtime.processes.leaving import leave
from runyard.runtime.processes.own_folder import OwnFolder
from runyard.runtime.processes.own_socket import OwnSocket
from runyard.runtime.processes.reload import Reloader
from runyard.runtime.processes.spawning import WorkerSpawner
from runyard.runtime.processes.supervisor import Supervisor
from runyard.runtime.processes.viewers import Viewers
from runyard.runtime.services.assistants import Assistants
from runyard.runtime.services.authentication import load_authenticator, load_custom
from runyard.runtime.services.batch_results import BatchResults
from runyard.runtime.services.batches import Batches
from runyard.runtime.services.crons import Crons
from runyard.runtime.services.encryption import RequestContexts, load_encryption, reload_encryption
from runyard.runtime.services.health import Health
from runyard.runtime.services.idempotency import Idempotency
from runyard.runtime.services.local_viewer import LocalViewer
from runyard.runtime.services.new_runs import RunRules
from runyard.runtime.services.runs import Runs
from runyard.runtime.services.store import Store
from runyard.runtime.services.system import System
from runyard.runtime.services.thread_events import ThreadEvents
from runyard.runtime.services.thread_states import ThreadStates
from runyard.runtime.services.threads import Threads
from runyard.runtime.services.ui import Ui
from runyard.runtime.storage.backends import make_storage, place_of, target_of
from runyard.runtime.storage.encrypted.storage import EncryptedStorage, encrypted
from runyard.runtime.storage.port.expiry import Expiry
from runyard.runtime.streams.broker import Broker
from runyard.runtime.telemetry.langsmith import send_last_traces
from runyard.runtime.telemetry.logs import keep_logging
from runyard.runtime.telemetry.loop_lag import LoopLag
from runyard.runtime.telemetry.metrics import Metrics
from runyard.runtime.telemetry.tracing import open_tracing
from runyard.runtime.webapp.loading import WebApp, load_web_app
from runyard.runtime.webhooks.sender import WebhookSender

if TYPE_CHECKING:
    from runyard.runtime.auth.requests import Authenticator
    from runyard.runtime.graphs.registry import Graphs
    from runyard.runtime.processes.local_worker import LocalWorker
    from runyard.runtime.store.index import Index


def run_main(main: Coroutine[Any, Any, None]) -> None:
    """Runs the main coroutine of a server, in whose event loop graphs may run too (`--workers 0`): what they raise or
    do to it does not end it. Signals are the coroutine's business."""
    run(main)


def _peers(settings: Settings, links: LinkedBus, loops: Loops) -> PeeredBus | None:
    """The bus among the servers that share a database; None: there is only this one. Raises ConfigError."""
    target = target_of(settings)
    if target is None:
        return None
    # Late: the client of the database is an extra.
    from runyard.runtime.bus.postgres.transport import PostgresTransport

    return PeeredBus(links, PostgresTransport(target.url, target.schema), loops)


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
        handlers = load_encryption(project, timeout=settings.encryption_timeout)
        storage = make_storage(settings, self.metrics, self._loops)
        self._storage = encrypted(storage, handlers)
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
        self._peers = _peers(settings, self._links, self._loops)
        self._bus: ServerBus = self._links if self._peers is None else self._peers
        self._workers = Workers(self._bus, self._webhooks.wake)
        self._broker = Broker(self._storage, self._bus, self._workers, self.metrics, self._loops)
        self._viewer = viewer = LocalViewer(settings, self._storage) if settings.works_here else Viewers(settings)
        health = Health(self._loops, self._workers, settings.worker_processes)
        self.system = System(self._storage, health, project.disabled)
        self.assistants = Assistants(self._storage, project, viewer, self._broker)
        self.thread_states = ThreadStates(self._storage, viewer, self._broker)
        idempotency = Idempotency(self._storage.idempotency, self._storage.threads)
        self.threads = Threads(self._storage, viewer, self.thread_states, self._broker, idempotency, expiry)
        self.store = Store(self._storage, project, viewer)
        self.ui = Ui(settings, self._loops)
        rules = RunRules(webhooks=webhooks, expiry=expiry)
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
        duties: list[Duty] = [
            scheduler,
            CancelledBatches(self.batches),
            LateItems(self.batches),
            OldBatches(self.batches, settings.batch_ttl),
            DeletedThreads(self.threads),
            DelayedRuns(self._storage.queue, self._workers),
            Outcomes(self._storage.runs, settings.result_ttl),
            ResultRetention(self._storage.results, settings.result_ttl, settings.result_bytes),
            EventRetention(self._storage.events, settings.event_ttl),
            IdempotencyKeys(self._storage.idempotency, settings.idempotency_ttl, settings.idempotency_bytes),
            ThreadExpiry(self.threads, project.thread_ttl),
            UnstoppedRuns(self._storage.workers, self._broker),
            UnsettledThreads(self.thread_states),
            StoreExpiry(self._storage.store, project.store_ttl),
            StoreIndexing(self.store),
        ]
        if settings.run_timeout is not None:
            duties.append(OverdueRuns(self._storage.workers, self._broker, settings.run_timeout))
        self._maintenance = Maintenance(duties, self._loops)
        self._supervisor: Supervisor | None = None
        self._graphs: Graphs | None = None
        self._authenticator: Authenticator | None = None
        self._web_app: WebApp | None = None
        self._index: Index | None = None
        self._exits = AsyncExitStack()
        self._folder = OwnFolder(settings)
        self._inner_socket = OwnSocket(self._folder.path, "inner", self._loops)
        self.inner_address = InnerAddress(self._inner_socket.path, secrets.token_bytes(32))
        self._accept_inner: Callable[[], asyncio.BaseProtocol] | None = None
        self._has_clients = False
        self._reaching: asyncio.Task[None] | None = None
        self._aborted = False
        queue = self._storage.queue
        self.metrics.connect(queue.depth, queue.waits, self._workers.pids, settings.worker_processes, self._loops)

    @property
    def not_loaded(self) -> dict[str, str]:
        """Graphs that cannot be served, and why; known after `start`."""
        return self._workers.not_loaded

    @property
    def authenticator(self) -> Authenticator | None:
        """Finds out who makes requests; None: nobody has to say who they are.

        The project's code for it is imported here, the first time; before an event loop runs. Raises ConfigError.
        """
        if self._authenticator is None and self.settings.authenticates:
            if self.settings.project.auth is not None:
                self._connect_clients()
            self._authenticator = load_authenticator(self.settings)
            keep_logging()
        return self._authenticator

    @property
    def web_app(self) -> WebApp | None:
        """The project's own application; None: it has none. Imported as `authenticator` is. Raises ConfigError."""
        if self._web_app is None and self.settings.project.app is not None:
            self._connect_clients()
            self._web_app = load_web_app(self.settings.project, timeout=self.settings.lifespan_timeout)
            keep_logging()
        return self._web_app

    def load_graphs(self) -> None:
        """With `--workers 0`, loads the graphs; before an event loop runs: their modules may run one. Raises
        ConfigError. `start` sees to it if nobody has."""
        if self.settings.works_here and self._graphs is None:
            # Workers have these in processes of their own; here they would only take memory.
            from runyard.runtime.graphs.registry import Graphs
            from runyard.runtime.store.index import load_index

            self._connect_clients()
            graphs = Graphs(self.settings.project)
            with like_a_main_thread():
                graphs.load(strict=self.settings.strict)
                self._index = load_index(self.settings.project)
            keep_logging()
            self._graphs = graphs

    def _connect_clients(self) -> None:
        """Before the project's code is imported here: its clients without a URL reach this server."""
        if not self._has_clients:
            from runyard.runtime.graphs.inner_client import connect_clients, trace_clients

            self._has_clients = True
            connect_clients(self.inner_address)
            if self.tracing is not None:
                trace_clients(self.tracing.headers)

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
            await self._storage.store.ready(meaning=self.settings.project.store_index is not None)
            self._folder.take(await self._storage.workers.alive())
            exits.callback(self._folder.leave)
            await self._listen_inside()
            # Imports its libraries while this process continues.
            spawner = WorkerSpawner(self._folder.path, self.inner_address)
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
            exits.push_async_callback(self._leave_web_app)  # when no run needs any more what it holds
            if self.settings.project.app is not None:
                await self.assistants.start({})  # lifespans in workers may ask for them
            local = await self._start_workers(spawner)
            await self.assistants.start(self._workers.graph_names if self._graphs is None else self._graphs.own_names)
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

    def leave(self) -> NoReturn:
        """Ends the process, after `stop`: what code of graphs has left in it, pools and pool threads, is not waited
        for."""
        leave(0)

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
        if self._web_app is not None:
            self._web_app.lifespan.give_up()

    def drain(self) -> None:
        """Asks workers to claim no more and to finish what they run; `stop` follows."""
        self._workers.drain()

    async def _serve(self, project: Project) -> None:
        """Serves the project as it is after a change. Raises ConfigError when it cannot be; then all stays."""
        assert self._supervisor is not None
        settings = replace(self.settings, project=project)
        custom, web_app = await asyncio.to_thread(self._changed_code, project)
        keep_logging()
        handlers = await self._changed_encryption(project)
        if web_app is not None:
            await web_app.lifespan.enter()
        try:
            await self._supervisor.replace_workers(settings)
        except BaseException:
            if web_app is not None:
                await web_app.lifespan.leave()
            raise
        if handlers is not None:
            assert isinstance(self._storage, EncryptedStorage)
            self._storage.handlers.become(handlers)
        if custom is not None:
            assert isinstance(self._authenticator, CustomAuthentication)
            self._authenticator.become(custom)
        if web_app is not None:
            assert self._web_app is not None
            before = self._web_app.lifespan
            self._web_app.become(web_app)
            await before.leave()
        self.settings = settings
        assert isinstance(self._viewer, Viewers)
        await self._viewer.reload(settings)
        self.store.serve(project)
        self.ui.serve(project)
        await self.assistants.serve(project, self._workers.graph_names)

    def _changed_code(self, project: Project) -> tuple[CustomAuthentication | None, WebApp | None]:
        """The project's authentication and its application, as its code says by now; None for what it had not at the
        start. Raises ConfigError."""
        authenticates = isinstance(self._authenticator, CustomAuthentication)
        if not authenticates and self._web_app is None:
            return None, None
        project = replace(project, app=self.settings.project.app)  # another one needs a restart
        forget_modules(project)
        with like_a_main_thread():
            custom = load_custom(project, timeout=self.settings.auth_timeout) if authenticates else None
            if authenticates and custom is None:
                raise ConfigError(f"{project.path}: auth was taken away; restart the server to serve without it")
            return custom, load_web_app(project, timeout=self.settings.lifespan_timeout)

    async def _changed_encryption(self, project: Project) -> Handlers | None:
        """The project's encryption, as its code says by now; None when it has none. Raises ConfigError."""
        if project.encryption is None and self.encryption is None:
            return None
        if project.encryption is not None and self.encryption is not None:
            return await asyncio.to_thread(reload_encryption, project, timeout=self.settings.encryption_timeout)
        raise ConfigError(f"{project.path}: encryption was added or taken away; restart the server for that")

    async def _listen_inside(self) -> None:
        self._exits.push_async_callback(self._inner_socket.stop)
        if self._accept_inner is not None:
            await self._inner_socket.start(self._accept_inner)
        if self._has_clients:
            from runyard.runtime.graphs.inner_client import serve_clients

            serve_clients(asyncio.get_running_loop())

    async def _leave_web_app(self) -> None:
        if self._web_app is not None:
            await self._web_app.lifespan.leave()

    async def _start_workers(self, spawner: WorkerSpawner) -> LocalWorker | None:
        """Starts them; with `--workers 0` gives the one of this process, which is not yet running."""
        socket = OwnSocket(self._folder.path, "bus", self._loops)
        self._exits.push_async_callback(socket.stop)
        await socket.start(partial(accept_worker, self._links))
        local = f"local-{uuid.uuid4().hex[:12]}" if self.settings.works_here else None
        self._supervisor = supervisor = Supervisor(
            self.settings, self._storage, self._broker, self._workers, spawner, socket.path, self._loops, local=local
        )
        self._exits.push_async_callback(supervisor.stop)
        await supervisor.start()
        if local is None:
            return None
        from runyard.runtime.processes.local_worker import LocalWorker

        await asyncio.to_thread(self.load_graphs)
        assert self._graphs is not None
        self._exits.push_async_callback(asyncio.to_thread, send_last_traces)
        worker = LocalWorker(
            local,
            self.settings,
            self._storage,
            self._graphs,
            index=self._index,
            tracing=self.tracing,
            bus=self._links,
            loops=self._loops,
        )
        self._exits.callback(worker.close)
        return worker
