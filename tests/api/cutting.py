"""A network that breaks: connections go through it, and once it breaks one off."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit


class CuttingProxy:
    """Passes connections on to a server. The first answer that contains `after` is broken off right behind it,
    in the middle of an event or a value."""

    def __init__(self, url: str, after: bytes) -> None:
        self._target = urlsplit(url)
        self._after = after
        self.url = ""
        """Where clients connect."""
        self.broken = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        from_server, to_server = await asyncio.open_connection(self._target.hostname, self._target.port)
        asking = asyncio.create_task(self._pass(reader, to_server))
        try:
            await self._pass(from_server, writer, cut=True)
        finally:
            asking.cancel()
            to_server.close()
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, cut: bool = False) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(65_536):
                before, found, _ = chunk.partition(self._after)
                ending = cut and found and not self.broken.is_set()
                writer.write(before + found if ending else chunk)
                await writer.drain()
                if ending:
                    self.broken.set()
                    return


@contextlib.asynccontextmanager
async def cutting_proxy(url: str, after: bytes) -> AsyncIterator[CuttingProxy]:
    """A proxy in front of the server at `url`, for as long as the context lasts."""
    proxy = CuttingProxy(url, after)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
