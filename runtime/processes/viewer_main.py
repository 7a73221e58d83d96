"""The process that looks at graphs and checkpoints for the API process."""

from __future__ import annotations

import asyncio
import gc
import logging
import multiprocessing
import pickle
import signal
import socket
import sys
from pathlib import Path
from typing import Final

import uvloop

from runyard.runtime.auth.inner_requests import InnerAddress
from runyard.runtime.background.process_identity import ProcessIdentity
from runyard.runtime.bus.messages import Broken
from runyard.runtime.bus.unix_socket import SocketLink
from runyard.runtime.config.settings import Settings
from runyard.runtime.encryption.handlers import Handlers
from runyard.runtime.errors import ConfigError, RunyardError, Unavailable
from runyard.runtime.graphs.inner_client import connect_clients
from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.processes.leaving import ServerWatch, leave, leave_fork_server
from runyard.runtime.processes.temporaries import keep_temporaries, remove_temporaries
from runyard.runtime.processes.viewer_messages import (
    TO_VIEWER,
    End,
    Failed,
    FromViewer,
    Part,
    Ping,
    Pong,
    Ready,
    Refused,
    ToViewer,
    View,
)
from runyard.runtime.services.encryption import load_encryption
from runyard.runtime.services.view_threads import ViewThreads
from runyard.runtime.storage.backends import make_storage
from runyard.runtime.storage.encrypted.storage import encrypted
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.store.index import Index, load_index
from runyard.runtime.telemetry.logs import configure_logs, keep_logging

logger = logging.getLogger(__name__)

Link = SocketLink[FromViewer, ToViewer]

RETRY_AFTER: Final = 2
"""Seconds until a database that is away may be there."""
PART: Final = 256 * 1024
"""Bytes of an answer that are sent in one turn of the event loop: large ones hold up no small ones."""


def view(
    settings: Settings,
    name: str,
    folder: Path,
    connection: socket.socket,
    server: ProcessIdentity,
    inner: InnerAddress,
) -> None:
    """Answers until the connection ends. The entry point of the process, which ends here whatever its threads do."""
    multiprocessing.set_start_method(None, force=True)  # as for workers
    leave_fork_server()
    ServerWatch(server, 0.0)
    keep_temporaries(folder, name)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the API process ends it when it has answered
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure_logs(worker=name, project=settings.project.env)
    if settings.reload:
        sys.dont_write_bytecode = True
    code = 1
    try:
        connect_clients(inner)
        graphs, index, handlers, broken = _load(settings)
        loop = uvloop.new_event_loop()
        asyncio.set_event_loop(loop)  # instead of what a module may have left there
        storage = encrypted(make_storage(settings), handlers)
        code = loop.run_until_complete(_serve(settings, storage, graphs, index, broken, connection))
    except BaseException:  # whatever it is, threads of user code must not keep the process
        logger.exception("the viewer fails")
    finally:
        remove_temporaries(folder, name)
        leave(code)


def _load(settings: Settings) -> tuple[Graphs, Index | None, Handlers | None, str | None]:
    """The graphs, what finds items of the store, what encrypts, and why nothing can be looked at. Before an event loop
    runs: modules of the project may run one."""
    graphs, index, handlers, broken = Graphs(settings.project), None, None, None
    try:
        graphs.load()
        index = load_index(settings.project)
        handlers = load_encryption(settings.project, timeout=settings.encryption_timeout)
    except ConfigError as error:
        broken = error.detail
    keep_logging()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)  # whatever a module has set
    gc.collect()
    gc.freeze()
    return graphs, index, handlers, broken


async def _serve(
    settings: Settings,
    storage: Storage,
    graphs: Graphs,
    index: Index | None,
    broken: str | None,
    connection: socket.socket,
) -> int:
    return await _View(settings, storage, graphs, index, broken).run(connection)


class _View:
    """One connection, and the threads that answer."""

    def __init__(
        self, settings: Settings, storage: Storage, graphs: Graphs, index: Index | None, broken: str | None
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._graphs = graphs
        self._index = index
        self._broken = broken
        self._ended = asyncio.Event()
        self._answering: set[asyncio.Task[None]] = set()
        self._link: Link | None = None
        self._opening = asyncio.Lock()
        self._threads: ViewThreads | None = None

    async def run(self, connection: socket.socket) -> int:
        loop = asyncio.get_running_loop()
        link: Link = SocketLink(TO_VIEWER, self._receive, lambda _: self._ended.set())
        await loop.create_unix_connection(lambda: link, sock=connection)
        self._link = link
        if self._broken is not None:
            link.send(Broken(self._broken))
            link.close()
            await self._ended.wait()
            return 1
        link.send(Ready())
        await self._ended.wait()
        self._storage.close()
        return 0

    async def _opened(self) -> ViewThreads:
        """Opens storage, by the first that asks, and by the next if the database is away then."""
        async with self._opening:
            if self._threads is None:
                try:
                    self._storage.open(maintain=False)
                except ConfigError as error:
                    away = Unavailable(error.detail)
                    away.retry_after = RETRY_AFTER
                    raise away from None
                await self._storage.store.ready(dims=None if self._index is None else self._index.dims)
                self._threads = ViewThreads(self._storage, self._graphs, self._settings.project, self._index)
            return self._threads

    def _receive(self, link: Link, message: ToViewer) -> None:
        match message:
            case View(number, request):
                task = asyncio.create_task(self._answer(link, number, request))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            case Ping():
                link.send(Pong())

    async def _answer(self, link: Link, number: int, request: bytes) -> None:
        try:
            name, arguments = pickle.loads(request)
            answer = await asyncio.wrap_future((await self._opened()).ask(name, arguments))
        except RunyardError as error:
            link.send(Refused(number, type(error).__name__, error.detail, error.retry_after))
            return
        except BaseException as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            logger.error("a view failed", exc_info=error)
            link.send(Failed(number))
            return
        for start in range(0, len(answer), PART):
            link.send(Part(number, answer[start : start + PART]))
            await asyncio.sleep(0)
        link.send(End(number))
