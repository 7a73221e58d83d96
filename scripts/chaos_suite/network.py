"""A network that breaks: it cuts connections, lets none through, or swallows what is sent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

_ABORT = struct.pack("ii", 1, 0)
_FORGOTTEN_SECONDS = 20.0
"""After which the far end of a half-open connection is told that the near one has gone, as keep-alive would."""


class _Link:
    """One connection that goes through. `silent`: what comes is thrown away, from either side, for ever."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter | None) -> None:
        self.near = near
        self.far = far
        self.silent = far is None

    def abort(self) -> None:
        for writer in (self.near, self.far):
            if writer is not None:
                plug = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):  # so that the other side sees a reset
                    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
                writer.transport.abort()


class Route:
    """A port on loopback that leads to a Unix socket. Use from any thread."""

    def __init__(self, name: str, socket_path: Path, network: Network) -> None:
        self.name = name
        self.port = 0
        self._socket = socket_path
        self._network = network
        self._state: Literal["open", "refusing", "swallowing"] = "open"
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None

    def open(self) -> None:
        """New connections go through. Those that were swallowed stay as they are."""
        self._network.call(lambda: self._become("open"))

    def refuse(self) -> None:
        """New connections are cut at once."""
        self._network.call(lambda: self._become("refusing"))

    def swallow(self) -> None:
        """Nothing gets through any more, and nobody is told: neither on the connections that there are, nor on new
        ones."""
        self._network.call(lambda: self._become("swallowing"))

    def cut(self) -> None:
        """Resets all connections."""
        self._network.call(self._cut)

    def _become(self, state: Literal["open", "refusing", "swallowing"]) -> None:
        self._state = state
        if state == "swallowing":
            for link in self._links:
                link.silent = True

    def _cut(self) -> None:
        for link in list(self._links):
            link.abort()

    async def listen(self) -> None:
        """To be called in the network's loop."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._state == "refusing":
            _Link(writer, None).abort()
            return
        from_far, far = None, None
        if self._state == "open":
            try:
                from_far, far = await asyncio.open_unix_connection(self._socket)
            except OSError:  # it is away
                _Link(writer, None).abort()
                return
        link = _Link(writer, far)
        self._links.add(link)
        back = None if from_far is None else asyncio.create_task(self._pass_on(link, from_far, writer))
        try:
            await self._pass_on(link, reader, far)
            if link.silent:
                await asyncio.sleep(_FORGOTTEN_SECONDS)
        except asyncio.CancelledError:
            pass  # the network ends, and asyncio's callback wants a task that is not cancelled
        finally:
            self._links.discard(link)
            if back is not None:
                back.cancel()
            for each in (writer, far):
                if each is not None:
                    each.close()

    async def _pass_on(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(262_144):
                if not link.silent and writer is not None:
                    writer.write(chunk)
                    await writer.drain()
            if not link.silent and writer is not None:
                writer.close()


class Network:
    """The routes, in a pool thread with a loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()

    def route(self, name: str, socket_path: Path) -> Route:
        """A new one, which is open."""
        route = Route(name, socket_path, self)
        asyncio.run_coroutine_threadsafe(route.listen(), self._loop).result(10)
        return route

    def call(self, function: Callable[[], None]) -> None:
        """Has it done in the network's own thread, and returns when it is."""

        async def work() -> None:
            function()

        asyncio.run_coroutine_threadsafe(work(), self._loop).result(10)

    def close(self) -> None:
        """Ends all routes and connections."""

        async def end() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
