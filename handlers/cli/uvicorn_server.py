"""uvicorn for `runyard serve`: from a bound socket to an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
import uvicorn

from runyard.handlers.cli.held_up_stop import HeldUpStop
from runyard.handlers.cli.http_protocol import BoundedConfig, BoundedProtocol, ConnectionLimits
from runyard.handlers.cli.socket_protocol import SocketProtocol
from runyard.handlers.http.inner_requests import InnerRequests
from runyard.handlers.http.probes import ProbesOnly
from runyard.handlers.http.scope import Receive, Scope, Send
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import RunyardError

if TYPE_CHECKING:
    from runyard.runtime.runtime import Runtime

BACKLOG = 2048
CLOSE_TIMEOUT = 2
"""Seconds that responses get to be sent once all runs have ended or are back in the queue."""
_LATE = 5.0
"""Seconds without a look at connections that say that the process was held up: what clients sent may lie unread."""
INNER_HEADERS = 65_536
"""Bytes of headers that inner requests may have at least, for they say all that is known of a user."""
GC_THRESHOLD = 50_000
"""New objects between two collections of the youngest generation: large request bodies make many, and so do imports."""


class ServeError(click.ClickException):
    """The server cannot start, for a reason outside its configuration."""

    exit_code = 1


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Nothing connects to it before the server listens, which is when it is ready."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # IPv4 first: "localhost" is to mean 127.0.0.1, where clients look.
        family, kind, protocol, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ServeError(f"cannot listen on {host}: {error.strerror or error}; choose another --host") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from None
    listener.setblocking(False)
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> ServeError:
    reason = error.strerror or error
    return ServeError(f"cannot listen on {host} port {port}: {reason}; choose another --port, or 0 for a free one")


def run_server(settings: Settings, listener: socket.socket | None) -> None:
    """Serves until a signal comes; without a listener, nobody but code of its own. Raises RunyardError or ServeError
    when it cannot start."""
    gc.set_threshold(GC_THRESHOLD, 20, 50)
    # Imported late: `runyard batch` and mistakes in the configuration need not wait for a web server.
    from runyard.handlers.app import create_app
    from runyard.runtime.runtime import Runtime, run_main

    runtime = Runtime(settings)
    if listener is not None:
        runtime.keep_from_children(listener.getsockname()[1])
    runtime.load_graphs()  # before there is an event loop
    app = _StartErrorRecorder(create_app(runtime))
    server = _Server(app, runtime, settings, listener)
    try:
        run_main(server.serve(sockets=[] if listener is None else [listener]))
        runtime.leave()
    except SystemExit:  # uvicorn's way to say that the application did not start
        raise app.start_error() from None


class _StartErrorRecorder:
    """Passes everything on to the application and remembers why it did not start."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app
        self._error: BaseException | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except BaseException as error:
            self._error = error
            raise

    def start_error(self) -> RunyardError | click.ClickException:
        """The error for the user."""
        if isinstance(self._error, RunyardError):
            return self._error
        return ServeError(f"the server did not start: {type(self._error).__name__}: {self._error}")


def _config(app: Any, settings: Settings, *, least_header_limit: int = 0) -> BoundedConfig:
    return BoundedConfig(
        app,
        limits=ConnectionLimits(max(settings.header_limit, least_header_limit), settings.receive_timeout),
        loop="none",  # it is made here
        timeout_keep_alive=settings.idle_timeout,
        ws=SocketProtocol,
        ws_max_size=settings.body_limit,
        ws_per_message_deflate=False,  # 0.3 MB for each connection, and time for each event
        lifespan="on",
        backlog=BACKLOG,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=CLOSE_TIMEOUT,
    )


class _Server(uvicorn.Server):
    """uvicorn, with a line on stdout when it is ready, and with a signal as an orderly end (exit code 0)."""

    def __init__(self, app: Any, runtime: Runtime, settings: Settings, listener: socket.socket | None) -> None:
        outer = ProbesOnly(app, prefix=settings.project.mount_prefix) if settings.role == "worker" else app
        super().__init__(_config(outer, settings))
        self._inner = _config(InnerRequests(app, runtime.inner_address), settings, least_header_limit=INNER_HEADERS)
        self._runtime = runtime
        self._settings = settings
        self._listener = listener
        self._looked = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # A failed start is told by the command line, in one line; uvicorn would log a traceback.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        aborting = asyncio.create_task(self._abort_start_on_signal())
        self._inner.load()
        self._runtime.accept_inner(lambda: BoundedProtocol(self._inner, self.server_state, self.lifespan.state))
        try:
            await super().startup(sockets)
        except OSError as error:  # another process began to listen in the meantime
            await self.lifespan.shutdown()
            raise _cannot_listen(self._settings.host, self._settings.port or 0, error) from None
        finally:
            aborting.cancel()
        logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)
        # What is alive now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        click.echo(self._ready())

    def _ready(self) -> str:
        """What is said once it is."""
        graphs = ", ".join(name for name in self._settings.project.graphs if name not in self._runtime.not_loaded)
        data = f"data in {self._runtime.data_place}"
        if self._listener is None:
            return f"Runyard executes runs of {graphs} ({data})"
        host, port = self._listener.getsockname()[:2]
        prefix = self._settings.project.mount_prefix
        address = f"http://[{host}]:{port}{prefix}" if ":" in host else f"http://{host}:{port}{prefix}"
        if self._settings.role == "worker":
            return f"Runyard executes runs of {graphs} ({data}; {address} answers /ok and /metrics)"
        return f"Runyard serves {graphs} at {address} ({data}; docs at {prefix}/docs)"

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:  # once a second: a timer for each request would cost more
            now = asyncio.get_running_loop().time()
            late, self._looked = now - self._looked > _LATE, now
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedProtocol) and connection.is_overdue(now) and not late:
                    connection.close_overdue()
        return await super().on_tick(counter)

    async def _abort_start_on_signal(self) -> None:
        """A worker may be importing a graph that never comes to an end, and the start waits for it."""
        while not self.should_exit:  # noqa: ASYNC110 - uvicorn's flag cannot be awaited
            await asyncio.sleep(0.1)
        self._runtime.abort_start()
        _kill_workers()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn would first wait for open connections and then stop the application; but those that
        # wait for runs end with the runs, and the workers are to claim nothing more from now on.
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            if not isinstance(connection, SocketProtocol):  # those tell of the runs until they have ended
                connection.shutdown()
        stopping = asyncio.create_task(self.lifespan.shutdown())
        while not stopping.done() and not self.force_exit:
            await asyncio.wait({stopping}, timeout=0.1)
        if self.force_exit:
            # Runs of killed workers go back to the queue at the next start.
            _kill_workers()
        # Streams of runs that are back in the queue are cut, so that clients resume them; an orderly
        # end would mean that the run has ended. uvicorn would log each as an error.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        held_up = HeldUpStop(asyncio.get_running_loop(), partial(self._runtime.leave, 1))

        def stop(number: int, frame: FrameType | None) -> None:
            self.handle_exit(number, frame)
            held_up.begin(self._settings.shutdown_grace if self.started else 0)

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _kill_workers() -> None:
    for process in multiprocessing.active_children():
        process.kill()
