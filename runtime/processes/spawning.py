"""Forks worker processes from a small process that has imported what they need: a worker is up in a moment, and
its libraries take memory once."""

import asyncio
import contextlib
import multiprocessing
import multiprocessing.forkserver
import os
import socket
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from runyard.runtime.auth.inner_requests import InnerAddress
from runyard.runtime.background.process_identity import ProcessIdentity
from runyard.runtime.config.settings import Settings
from runyard.runtime.processes.noted_workers import forget_worker
from runyard.runtime.processes.temporaries import keep_temporaries, remove_temporaries


class WorkerSpawner:
    """Starts processes; making one begins the preloading in the background."""

    def __init__(self, folder: Path, inner: InnerAddress, *, also: Sequence[str] = ()) -> None:
        """`folder`: where temporary files of the processes lie, this one's too. `inner`: where clients that code makes
        in these processes reach the server. `also`: further modules that all of them need."""
        self._folder = folder
        self._inner = inner
        keep_temporaries(folder, "server")  # the fork server's socket
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([*also, "runyard.runtime.processes.preload"])
        self._starting = asyncio.Lock()
        with _no_start_method():
            multiprocessing.forkserver.ensure_running()

    async def start(self, settings: Settings, name: str, bus: Path, *, solo: bool) -> ForkServerProcess:
        """A process that works; see `worker_main.work`."""
        return await self._start(_work, (settings.without_keys(), name, self._folder, bus, self._inner, solo), name)

    async def start_viewer(self, settings: Settings, name: str, connection: socket.socket) -> ForkServerProcess:
        """A process that answers views on its end of a pair of sockets; see `viewer_main.view`."""
        return await self._start(_view, (settings.without_keys(), name, self._folder, connection, self._inner), name)

    def clean_up(self, name: str) -> None:
        """Removes what a process that has ended left."""
        remove_temporaries(self._folder, name)
        forget_worker(self._folder, name)

    async def _start(self, target: Callable[..., None], arguments: tuple[Any, ...], name: str) -> ForkServerProcess:
        server = ProcessIdentity.of(os.getpid())
        process = self._context.Process(target=target, args=(server, *arguments), name=name, daemon=False)
        async with self._starting:
            with _no_main(), _no_start_method():
                await asyncio.to_thread(process.start)
        return process


def _work(
    server: ProcessIdentity, settings: Settings, name: str, folder: Path, bus: Path, inner: InnerAddress, solo: bool
) -> None:
    # The fork server has it; the API process has no use for it.
    from runyard.runtime.processes.worker_main import work

    work(settings, name, folder, bus, server, inner, solo=solo)


def _view(
    server: ProcessIdentity,
    settings: Settings,
    name: str,
    folder: Path,
    connection: socket.socket,
    inner: InnerAddress,
) -> None:
    from runyard.runtime.processes.viewer_main import view

    view(settings, name, folder, connection, server, inner)


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    """Keeps multiprocessing from importing the parent's main module into the worker: that is the whole
    command line and web application, which a worker has no use for."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _no_start_method() -> Iterator[None]:
    """Keeps multiprocessing from fixing how processes are started by default: code of graphs may choose that."""
    chosen = multiprocessing.get_start_method(allow_none=True)
    try:
        yield
    finally:
        if chosen is None:
            multiprocessing.set_start_method(None, force=True)
