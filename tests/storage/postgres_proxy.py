"""A network between a process and its Postgres: it cuts connections, swallows what they send, or refuses new ones."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class PostgresProxy:
    """Listens on a port, and passes on to a server's Unix socket."""

    def __init__(self, address: str) -> None:
        self._given = conninfo_to_dict(address)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._through = asyncio.Event()
        self._through.set()
        self._port = 0
        self.accepted = 0

    @property
    def address(self) -> str:
        """The connection string that leads through it."""
        return make_conninfo("", **{**self._given, "host": "127.0.0.1", "port": str(self._port)})

    async def listen(self) -> None:
        """Accepts connections, on the same port each time."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """No more connections; those that there are go on."""
        if self._server is not None:
            self._server.close()

    def cut(self) -> None:
        """Breaks all connections."""
        for writer in self._writers:
            writer.transport.abort()

    def swallow(self) -> None:
        """Nothing comes through any more, in either direction, and nobody is told."""
        self._through.clear()

    def let_through(self) -> None:
        """What was swallowed arrives now."""
        self._through.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        await self._through.wait()
        path = f"{self._given['host']}/.s.PGSQL.{self._given.get('port', 5432)}"
        from_server, to_server = await asyncio.open_unix_connection(path)
        self._writers |= {writer, to_server}
        answers = asyncio.create_task(self._forward(from_server, writer))
        with contextlib.suppress(asyncio.CancelledError):
            await self._forward(reader, to_server)
            await answers
        self._writers -= {writer, to_server}

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(65_536):
                await self._through.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def postgres_proxy(address: str) -> AsyncIterator[PostgresProxy]:
    """In front of the server at `address`, for as long as the context lasts."""
    proxy = PostgresProxy(address)
    await proxy.listen()
    try:
        yield proxy
    finally:
        proxy.let_through()
        proxy.refuse()
        proxy.cut()
