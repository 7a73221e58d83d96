"""A load balancer: one address in front of several servers, which get the requests in turn."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import threading
from collections.abc import Sequence
from urllib.parse import urlsplit

LONGEST_HEAD = 1 << 20
"""Bytes of a request line with its headers."""
CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)
UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class Balancer:
    """Gives each request to the next server, also the next of a client that would keep its connection: it is told that
    the connection ends with the answer. Who leaves is seen by the server to have left.

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
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LONGEST_HEAD, backlog=1000)

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
        broken = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)  # the last by `close` alone
        with contextlib.closing(writer), contextlib.suppress(*broken):
            head = await reader.readuntil(b"\r\n\r\n")
            target = next(self._turns)
            from_server, to_server = await asyncio.open_connection(target.hostname, target.port)
            with contextlib.closing(to_server):
                to_server.write(head if UPGRADE.search(head) else _last_of_its_connection(head))
                request = asyncio.create_task(_pass_on(reader, to_server))
                try:
                    await _pass_on(from_server, writer)
                finally:
                    request.cancel()


def _last_of_its_connection(head: bytes) -> bytes:
    line, end, headers = CONNECTION.sub(b"", head).partition(b"\r\n")
    return line + end + b"Connection: close\r\n" + headers


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What one side says, until it ends or breaks, which the other side learns."""
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
