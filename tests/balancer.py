"""A load balancer: one address in front of several servers, which get the requests in turn."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

import h11

LONGEST_HEAD = 1 << 20
"""Bytes of a request line with its headers."""


class Balancer:
    """Gives each request to the next server, also the next of a client that keeps its connection. Who leaves is seen by
    the server to have left, and a client sees an answer break off that does.

    It runs in a thread of its own, so that tests may block.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self._turns = itertools.cycle([urlsplit(url) for url in urls])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="balancer", daemon=True)
        self._connections: set[asyncio.Task[None]] = set()
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        """Where clients connect."""

    def close(self) -> None:
        """Breaks off what is open."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000)

    async def _end(self) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        client = _Side(h11.Connection(h11.SERVER, LONGEST_HEAD), reader, writer)
        broken = (ConnectionError, h11.ProtocolError, asyncio.CancelledError)  # the last by `close` alone
        with contextlib.closing(writer), contextlib.suppress(*broken):
            while isinstance(request := await client.event(), h11.Request):
                if not await _answered(client, request, next(self._turns)):
                    return
                client.connection.start_next_cycle()


class _Side:
    """One end of what the balancer connects: a client, or a server."""

    def __init__(self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connection, self.reader, self.writer = connection, reader, writer

    async def event(self) -> object:
        """What it says next. Raises h11.RemoteProtocolError when it leaves in the middle."""
        while (event := self.connection.next_event()) is h11.NEED_DATA:
            self.connection.receive_data(await self.reader.read(65_536))
        return event

    async def tell(self, event: h11.Event) -> None:
        self.writer.write(self.connection.send(event) or b"")
        await self.writer.drain()


async def _answered(client: _Side, request: h11.Request, target: SplitResult) -> bool:
    """Has a server answer the request; whether the client's connection is good for another one."""
    reader, writer = await asyncio.open_connection(target.hostname, target.port)
    server = _Side(h11.Connection(h11.CLIENT, LONGEST_HEAD), reader, writer)
    with contextlib.closing(writer):
        if any(name == b"upgrade" for name, _ in request.headers):
            await _tunnel(client, request, server)
            return False
        asking = asyncio.create_task(_ask(client, request, server))
        try:
            while not isinstance(event := await server.event(), h11.EndOfMessage):
                assert isinstance(event, h11.InformationalResponse | h11.Response | h11.Data), event
                await client.tell(event)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await client.tell(event)
    while client.connection.states == {h11.CLIENT: h11.SEND_BODY, h11.SERVER: h11.DONE}:
        await client.event()  # the server has answered without the body; a connection that is closed on it is reset
    return client.connection.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}


async def _ask(client: _Side, request: h11.Request, server: _Side) -> None:
    with contextlib.suppress(h11.RemoteProtocolError):  # it leaves in the middle of its request
        await server.tell(request)
        while isinstance(event := await client.event(), h11.Data | h11.EndOfMessage):
            await server.tell(event)
            if isinstance(event, h11.EndOfMessage):
                break
        while said := await client.reader.read(
            65_536
        ):  # the next request of who has had all, before that is known here
            client.connection.receive_data(said)
    server.writer.write_eof()


async def _tunnel(client: _Side, request: h11.Request, server: _Side) -> None:
    """From here on they speak another protocol."""
    line = b"%s %s HTTP/%s" % (request.method, request.target, request.http_version)
    head = [line, *(b"%s: %s" % header for header in request.headers.raw_items())]
    server.writer.write(b"\r\n".join([*head, b"", b""]) + client.connection.trailing_data[0])
    asking = asyncio.create_task(_pass_on(client.reader, server.writer))
    try:
        await _pass_on(server.reader, client.writer)
    finally:
        asking.cancel()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What one side says, until it ends or breaks, which the other side learns."""
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
