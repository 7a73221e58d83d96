"""The process of a worker: loads the graphs, connects to the API process, works until told to leave."""

import asyncio
import gc
import logging
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

from runyard.runtime.auth.inner_requests import InnerAddress
from runyard.runtime.background.forks import keep_from_children
from runyard.runtime.background.process_identity import ProcessIdentity
from runyard.runtime.bus.messages import Broken, GraphsLoaded
from runyard.runtime.bus.unix_socket import SocketWorkerBus
from runyard.runtime.config.settings import Settings
from runyard.runtime.encryption.handlers import Handlers
from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.execution.executor import Executor
from runyard.runtime.execution.node_pool import NodePool
from runyard.runtime.execution.worker import Worker
from runyard.runtime.graphs.inner_client import connect_clients, trace_clients
from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.processes.event_loop import new_event_loop, run_despite_exits
from runyard.runtime.processes.leaving import ServerWatch, leave, leave_fork_server
from runyard.runtime.processes.noted_workers import note_worker
from runyard.runtime.processes.temporaries import keep_temporaries
from runyard.runtime.services.encryption import load_encryption
from runyard.runtime.storage.backends import make_storage
from runyard.runtime.storage.encrypted.storage import encrypted
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.port.workers import WorkerStorage
from runyard.runtime.store.fenced import FencedStore
from runyard.runtime.store.index import Index, load_index
from runyard.runtime.telemetry.langsmith import send_last_traces
from runyard.runtime.telemetry.logs import configure_logs, keep_logging
from runyard.runtime.telemetry.tracing import Tracing, open_tracing
from runyard.runtime.webapp.loading import WebApp, load_web_app

logger = logging.getLogger(__name__)

HAND_BACK = 10.0
"""Seconds beyond the grace period in which a worker without a server hands back what it runs, and ends."""
REGISTRATION_PAUSE = 1.0
"""Seconds between attempts."""
NICE = 5
"""Workers step back when cores are short: the API process answers, and one that waits waits for it."""


def work(
    settings: Settings,
    name: str,
    folder: Path,
    socket: Path,
    server: ProcessIdentity,
    inner: InnerAddress,
    *,
    solo: bool,
) -> None:
    """Runs a worker until it has drained. The entry point of a worker process. `folder`: the server's own.

    SIGTERM drains it; SIGINT, which a terminal sends to the whole group, is left to the API process.
    """
    # The project's code may choose how it starts processes, but multiprocessing has chosen for it.
    multiprocessing.set_start_method(None, force=True)
    leave_fork_server()
    watch = ServerWatch(server, settings.shutdown_grace + HAND_BACK)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure_logs(worker=name, project=settings.project.env)
    if settings.reload:
        sys.dont_write_bytecode = True  # files change more than once a second, which compiled ones do not notice
    os.nice(NICE)
    storage = make_storage(settings)
    if settings.database is not None:
        note_worker(folder, name)
    # Before code of the project runs, which may take long, or stop the process.
    _register(storage.workers, name, server.pid)
    keep_temporaries(folder, name)
    connect_clients(inner)
    graphs, index, web_app, handlers, broken = _load_graphs(settings)
    storage = encrypted(storage, handlers)
    tracing = open_tracing(settings.project.env, worker=True)
    if tracing is not None:
        trace_clients(tracing.headers)
    loop = new_event_loop()
    asyncio.set_event_loop(loop)  # instead of what a module may have left there
    code = 1
    try:
        run_despite_exits(
            _work(settings, name, socket, storage, graphs, index, web_app, broken, solo, watch, tracing), loop
        )
        code = 0
        loop.close()  # sends what is left
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # said here, since the process ends without the rest of the interpreter's end
        logger.exception("worker %s ends by an error", name)
    if tracing is not None:
        tracing.close()
    send_last_traces()
    leave(code)


def _register(workers: WorkerStorage, name: str, server: int) -> None:
    """Returns when that is done: the server ends processes that it has no use for, whatever they wait for."""
    while True:
        try:
            workers.register(name, server=server)
        except Unavailable as error:
            logger.warning("worker %s waits for storage: %s", name, error.detail)
            time.sleep(REGISTRATION_PAUSE)
        else:
            return


def _load_graphs(settings: Settings) -> tuple[Graphs, Index | None, WebApp | None, Handlers | None, str | None]:
    """The graphs, what finds items of the store, the project's application, what encrypts, and why nothing can be
    served. Before an event loop runs: modules of the project may run one."""
    graphs, index, web_app, handlers, broken = Graphs(settings.project), None, None, None, None
    try:
        graphs.load(strict=settings.strict)
        index = load_index(settings.project)
        handlers = load_encryption(settings.project, timeout=settings.encryption_timeout)
        if settings.app_in_workers:
            web_app = load_web_app(settings.project, timeout=settings.lifespan_timeout)
    except ConfigError as error:
        broken = error.detail
    keep_logging()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whatever a module has set
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    return graphs, index, web_app, handlers, broken


async def _work(
    settings: Settings,
    name: str,
    socket: Path,
    storage: Storage,
    graphs: Graphs,
    index: Index | None,
    web_app: WebApp | None,
    broken: str | None,
    solo: bool,
    watch: ServerWatch,
    tracing: Tracing | None,
) -> None:
    loop = asyncio.get_running_loop()
    # Sync nodes wait in threads; asyncio's own pool has a handful, and they would queue up there.
    loop.set_default_executor(NodePool(settings.concurrency))
    worker: Worker | None = None

    def lost() -> None:
        if worker is None:  # it has no runs yet
            leave(1)
        worker.drain()

    bus = SocketWorkerBus(lost)
    try:
        connection = await bus.connect(str(socket))
    except OSError:  # the server has ended while the graphs were loaded, or is about to listen anew
        sys.exit(1)
    keep_from_children(connection.fileno())
    if broken is None and web_app is not None:
        try:
            # Nodes find what it sets, as where all runs in one process.
            await web_app.lifespan.enter()
        except ConfigError as error:
            broken = f"{error.detail} (in a worker; RUNYARD_APP_IN_WORKERS=false keeps it to the API process)"
    try:
        if broken is None:
            broken = await _open_storage(storage, index)
        if broken is not None:
            bus.send(Broken(broken))
            bus.close()
            await asyncio.Event().wait()  # until it is sent: then the connection ends, and with it this process
        bus.send(GraphsLoaded(graphs.own_names, graphs.not_loaded))
        store = FencedStore(storage.store, loop, settings.project.store_ttl, index)
        executor = Executor(graphs, storage, store, run_timeout=settings.run_timeout, tracing=tracing)
        worker = Worker(name, settings, storage, executor, solo=solo)
        loop.add_signal_handler(signal.SIGTERM, worker.drain)
        worker.connect(bus)
        watch.connected()
        await worker.run()
        if web_app is not None:
            await web_app.lifespan.leave()
    finally:
        storage.close()


async def _open_storage(storage: Storage, index: Index | None) -> str | None:
    """Returns why it cannot be used as the project asks, if it cannot."""
    await storage.reach()
    try:
        storage.open(maintain=False)
        await storage.store.ready(dims=None if index is None else index.dims)
    except ConfigError as error:
        return error.detail
    return None
