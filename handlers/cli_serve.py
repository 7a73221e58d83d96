"""`runyard serve`: one process that serves the API, and the workers that it starts."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
import uvicorn

from runyard.runtime.config import load_project
from runyard.runtime.errors import ConfigError, RunyardError
from runyard.runtime.settings import Settings

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

BACKLOG = 2048
LAST_BYTES = 2
"""Seconds that answers get to be sent once all runs have ended or are back in the queue."""
GC_THRESHOLD = 50_000
"""New objects between two collections of the youngest generation: large request bodies make many."""


class ServeError(click.ClickException):
    """The server cannot start, for a reason outside its configuration."""

    exit_code = 1


class BadConfig(click.ClickException):
    """langgraph.json, a graph or a setting is wrong."""

    exit_code = 2


@click.command()
@click.option(
    "--config",
    default="langgraph.json",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The project: its graphs, dependencies and environment.",
)
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one.  [default: 8123]")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the database lies.  [default: .runyard]",
)
@click.option(
    "--workers",
    type=int,
    metavar="N",
    help="Worker processes; 0 runs everything in one.  [default: one per core, at most 4]",
)
@click.option("--concurrency", type=int, metavar="K", help="Runs at once in each worker.  [default: 64]")
def serve(
    config: Path,
    host: str | None,
    port: int | None,
    data: Path | None,
    workers: int | None,
    concurrency: int | None,
) -> None:
    """Serve the graphs of a langgraph.json.

    Prints the address when it is ready. SIGINT (Ctrl-C) and SIGTERM stop it gracefully: it takes no more
    runs, gives those that are running some seconds, and hands the rest back to the queue for the next
    start. A second SIGINT stops it at once; then too nothing that was accepted is lost.

    Each option can be given in the environment, as RUNYARD_HOST, RUNYARD_PORT, RUNYARD_DATA_DIR,
    RUNYARD_WORKERS, RUNYARD_CONCURRENCY; the README lists more settings.
    """
    try:
        _log()
        settings = Settings.from_environment(
            load_project(config),
            host=host,
            port=port,
            data_dir=data,
            workers=workers,
            concurrency=concurrency,
        )
        listener = _listen(settings.host, settings.port)
        with listener:
            _serve(settings, listener)
    except ConfigError as error:
        raise BadConfig(error.detail) from None
    except RunyardError as error:
        raise ServeError(error.detail) from None


def _log() -> None:
    level = os.environ.get("RUNYARD_LOG", "WARNING").upper()
    if level not in logging.getLevelNamesMapping():
        raise ConfigError(f'RUNYARD_LOG: "{level}" is not one of: DEBUG, INFO, WARNING, ERROR')
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket. Nothing connects to it before the server listens, which is when it is ready."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServeError(f"cannot listen on {host}: {error.strerror or error}; choose another --host") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise ServeError(
            f"cannot listen on {host} port {port}: {error.strerror or error}; choose another --port, or 0"
        ) from None
    listener.setblocking(False)
    return listener


def _serve(settings: Settings, listener: socket.socket) -> None:
    # Imported late: `runyard batch` and mistakes in the configuration need not wait for a web server.
    from runyard.handlers.app import create_app
    from runyard.runtime.runtime import Runtime

    started = _Started(create_app(Runtime(settings)))
    server = _Server(started, settings, listener)
    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        try:
            runner.run(server.serve(sockets=[listener]))
        except SystemExit:  # uvicorn's way to say that the application did not start
            raise started.failure() from None


class _Started:
    """Passes everything on to the application and remembers why it did not start."""

    def __init__(self, app: ASGI3Application) -> None:
        self._app = app
        self._error: BaseException | None = None

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except BaseException as error:
            self._error = error
            raise

    def failure(self) -> RunyardError | click.ClickException:
        """What to tell the user."""
        if isinstance(self._error, RunyardError):
            return self._error
        return ServeError(f"the server did not start: {type(self._error).__name__}: {self._error}")


class _Server(uvicorn.Server):
    """uvicorn, with our word when it is ready, and with a signal as an orderly end (exit code 0)."""

    def __init__(self, app: Any, settings: Settings, listener: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http="httptools",
                lifespan="on",
                backlog=BACKLOG,
                access_log=False,
                log_config=None,
                timeout_graceful_shutdown=LAST_BYTES,
            )
        )
        self._settings = settings
        self._listener = listener

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # A failed start is told by the command line, in one line; uvicorn would log a traceback.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().startup(sockets)
        logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)
        # What is alive now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 20, 50)
        host, port = self._listener.getsockname()[:2]
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        graphs = ", ".join(self._settings.project.graphs)
        click.echo(f"Runyard serves {graphs} at {address} (data in {self._settings.data_dir}; docs at /docs)")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn would first wait for open connections and then stop the application; but those that
        # wait for runs end with the runs, and the workers are to claim nothing more from now on.
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        stopping = asyncio.create_task(self.lifespan.shutdown())
        while not stopping.done() and not self.force_exit:
            await asyncio.wait({stopping}, timeout=0.1)
        if self.force_exit:
            # Runs of killed workers go back to the queue at the next start.
            for process in multiprocessing.active_children():
                process.kill()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        def stop(number: int, frame: FrameType | None) -> None:
            self.handle_exit(number, frame)

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
