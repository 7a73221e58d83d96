"""A network that breaks: connections go through it, and once it breaks one off."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit


class DisconnectingProxy:
    """Passes connections on to a server. The first answer that contains `after` is broken off right behind it,
    in the middle of an event or a value."""

    def __init__(self, url: str, after: bytes) -> None:
        self._target = urlsplit(url)
        self._after = after
        self.url = ""
        """Where clients connect."""
        self.disconnected = asyncio.Event()
        """Set once a connection was broken off."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        from_server, to_server = await asyncio.open_connection(self._target.hostname, self._target.port)
        requests = asyncio.create_task(self._forward(reader, to_server))
        try:
            await self._forward(from_server, writer, disconnect=True)
        finally:
            requests.cancel()
            to_server.close()
            writer.close()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, disconnect: bool = False
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(65_536):
                before, found, _ = chunk.partition(self._after)
                last = disconnect and found and not self.disconnected.is_set()
                writer.write(before + found if last else chunk)
                await writer.drain()
                if last:
                    self.disconnected.set()
                    return


@contextlib.asynccontextmanager
async def disconnecting_proxy(url: str, after: bytes) -> AsyncIterator[DisconnectingProxy]:
    """A proxy in front of the server at `url`, for as long as the context lasts."""
    proxy = DisconnectingProxy(url, after)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
