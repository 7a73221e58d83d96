"""A lean HTTP connection for thousands of small requests.

httpx takes 1 to 4 ms of processor time for each request, as much as the server takes for a whole run; on the
server's own machine that would slow down the batch that is waited for. This takes a tenth of a millisecond.
"""

import asyncio
import base64
import contextlib
import ssl
from urllib.parse import SplitResult, unquote

import httptools

SILENCE_TIMEOUT = 60.0
"""Seconds without a byte after which a connection counts as lost; a server that waits sends newlines."""


class ConnectionLost(Exception):
    """The connection failed or fell silent; the same request may succeed on a new one."""


class Connection:
    """Requests to one server, one at a time; opened when needed, kept open as long as the server does."""

    def __init__(self, url: SplitResult, api_key: str | None = None) -> None:
        self._url = url
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        credentials = ""
        if url.username is not None:
            pair = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
            credentials = f"authorization: Basic {base64.b64encode(pair).decode()}\r\n"
        if api_key is not None:
            credentials += f"x-api-key: {api_key}\r\n"
        host = url.netloc.rpartition("@")[2]
        self._head = f"HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n{credentials}\r\n"

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of the response. Raises `ConnectionLost`."""
        request = f"GET {self._url.path.rstrip('/')}{path} {self._head}".encode()
        # A server may close an idle connection at any time; that says nothing about a new one.
        reused = self._streams is not None
        while True:
            try:
                return await self._request(request)
            except (OSError, EOFError, httptools.HttpParserError) as error:
                await self.close()
                if not reused or isinstance(error, TimeoutError):
                    raise ConnectionLost(str(error) or type(error).__name__) from None
                reused = False

    async def close(self) -> None:
        """Closes the connection, if there is one."""
        if self._streams is not None:
            writer = self._streams[1]
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _request(self, request: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            secure = self._url.scheme == "https"
            async with asyncio.timeout(SILENCE_TIMEOUT):
                self._streams = await asyncio.open_connection(
                    self._url.hostname,
                    self._url.port or (443 if secure else 80),
                    ssl=ssl.create_default_context() if secure else None,
                )
        reader, writer = self._streams
        writer.write(request)
        response = _Response()
        parser = httptools.HttpResponseParser(response)
        while not response.complete:
            async with asyncio.timeout(SILENCE_TIMEOUT):
                data = await reader.read(2**18)
            if not data:
                raise EOFError("the connection was closed")
            parser.feed_data(data)
        if not parser.should_keep_alive():
            await self.close()
        return parser.get_status_code(), b"".join(response.chunks)


class _Response:
    """What httptools calls while it parses."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.complete = False

    def on_body(self, data: bytes) -> None:
        self.chunks.append(data)

    def on_message_complete(self) -> None:
        self.complete = True
