"""`langgraph_sdk.get_client()` and `get_sync_client()` without a URL: clients of the server that executes the code.

langgraph_sdk asks a function of its own for the transport of such a client; here that function gives one that connects
to the server's inner socket. The sync client has no such place, so what makes it is wrapped. Both hold for clients of
any age, and for those that packages make: the connection is looked up with each request.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import httpx

from runyard.runtime.auth.inner_requests import HEADER, SYSTEM, Caller, InnerAddress, acting_for
from runyard.runtime.encryption.context import HEADER as CONTEXT_HEADER
from runyard.runtime.encryption.context import context_text

logger = logging.getLogger(__name__)

BASE_URL: Final = "http://api"
"""What requests of such clients call the server, as langgraph_sdk has it."""
RETRIES: Final = 5
"""Times that a connection is tried again: the socket may just be made anew."""

_DEFERRED: Final = "__LANGGRAPH_DEFER_LOOPBACK_TRANSPORT"
"""With it, langgraph_sdk does not look for the official server in this process first."""
_STARTING: Final = ("/runs", "/runs/wait", "/runs/stream", "/runs/batch")
"""How the paths of operations end that start runs."""
_LOOKING: Final = re.compile("/threads/[^/]+/runs/[^/]+")
"""The path by which a run sees whether another one has ended."""
_KEYS: Final = ("LANGGRAPH_API_KEY", "LANGSMITH_API_KEY", "LANGCHAIN_API_KEY")
"""Where langgraph_sdk finds a key that nobody has given to the client."""

TraceHeaders = Callable[[], dict[str, str]]


class NotInServer(RuntimeError):
    """A client without a URL was used where no server executes the code."""


class _Connection:
    """How inner requests of this process reach the server."""

    def __init__(self, address: InnerAddress) -> None:
        self.address = address
        self.trace: TraceHeaders | None = None
        # One connection for each request: clients are made in nodes and never closed, and used in several event loops.
        options: dict[str, Any] = {
            "uds": str(address.socket),
            "verify": False,
            "retries": RETRIES,
            "limits": httpx.Limits(max_connections=None, max_keepalive_connections=0),
        }
        self.asynchronous = httpx.AsyncHTTPTransport(**options)
        self.synchronous = httpx.HTTPTransport(**options)
        self.serving: asyncio.AbstractEventLoop | None = None

    def prepare(self, request: httpx.Request) -> Caller | None:
        """Says in the headers who makes the request."""
        caller = acting_for.get()
        if caller is not None and caller.strange:
            caller = SYSTEM  # the application's code, which such a request has called, works for the server
        headers = request.headers
        if caller is not None and caller.slot is not None and _starts_runs(request):
            caller.slot.check()
        if caller is not None and not _has_credentials(headers):
            headers[HEADER] = self.address.sign(caller)
        elif caller is not None:
            headers[HEADER] = self.address.sign(caller.with_credentials())
        if caller is not None and caller.request_id is not None:
            headers.setdefault("x-request-id", caller.request_id)
        if caller is not None and caller.encryption:
            headers.setdefault(CONTEXT_HEADER, context_text(caller.encryption))
        if self.trace is not None and "traceparent" not in headers:
            headers.update(self.trace())
        return caller


_connection: _Connection | None = None


def connect_clients(address: InnerAddress) -> None:
    """From here on, clients without a URL reach the server at `address`. Before the project's code is imported."""
    global _connection
    _connection = _Connection(address)
    import langgraph_sdk.client

    known = vars(sys.modules[langgraph_sdk.client.get_client.__module__])
    if not {"get_asgi_transport", "_registered_transports"} <= known.keys():
        logger.warning(
            "get_client() without a URL does not reach this server with the langgraph-sdk that is installed; give it a"
            " URL, or install another version"
        )
        return
    os.environ[_DEFERRED] = "true"
    known["get_asgi_transport"] = lambda: InnerTransport
    known["_registered_transports"] = _Forgetful()
    _wrap_sync_client()


def trace_clients(trace: TraceHeaders) -> None:
    """Requests are part of traces; `trace` gives the headers that say of which, for the code at hand."""
    _connected().trace = trace


def serve_clients(loop: asyncio.AbstractEventLoop) -> None:
    """`loop`, of this process, answers the requests of its clients: a sync one that is used on it would wait for
    itself, and is refused."""
    if _connection is not None:
        _connection.serving = loop


def _connected() -> _Connection:
    if _connection is None:
        raise NotInServer("get_client() without a URL works in code that a server executes; give it a URL elsewhere")
    return _connection


class InnerTransport(httpx.AsyncBaseTransport):
    """What langgraph_sdk makes for a client without a URL; the arguments are those of an ASGI transport."""

    def __init__(self, app: Any = None, root_path: str = "") -> None:
        """Neither says anything: there is one server."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        connection = _connected()
        caller = connection.prepare(request)
        response = await connection.asynchronous.handle_async_request(request)
        if caller is None or caller.slot is None:
            return response
        if _LOOKING.fullmatch(request.url.path) and request.method == "GET":
            caller.slot.look()
        elif _waits(response):
            assert isinstance(response.stream, httpx.AsyncByteStream)
            try:
                response.stream = _AsyncWait(response.stream, caller.slot.lend())
            except BaseException:
                await response.stream.aclose()
                raise
        return response


class SyncInnerTransport(httpx.BaseTransport):
    """The same for a sync client."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        connection = _connected()
        if connection.serving is not None and asyncio._get_running_loop() is connection.serving:
            raise RuntimeError(
                "get_sync_client() would hold up the event loop that has to answer it; use get_client() in async code"
            )
        caller = connection.prepare(request)
        response = connection.synchronous.handle_request(request)
        if caller is None or caller.slot is None:
            return response
        if _LOOKING.fullmatch(request.url.path) and request.method == "GET":
            caller.slot.look()
        elif _waits(response):
            assert isinstance(response.stream, httpx.SyncByteStream)
            try:
                response.stream = _SyncWait(response.stream, caller.slot.lend())
            except BaseException:
                response.stream.close()
                raise
        return response


def _starts_runs(request: httpx.Request) -> bool:
    return request.method == "POST" and request.url.path.endswith(_STARTING)


def _waits(response: httpx.Response) -> bool:
    """Whether the answer has begun without its end being known: it waits for a run, or follows one."""
    return response.status_code == 200 and "content-length" not in response.headers


class _Once:
    """Calls a function when it is closed for the first time."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended: Callable[[], None] | None = ended

    def end(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()


class _AsyncWait(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, ended: Callable[[], None]) -> None:
        self._stream = stream
        self._once = _Once(ended)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        self._once.end()
        await self._stream.aclose()


class _SyncWait(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, ended: Callable[[], None]) -> None:
        self._stream = stream
        self._once = _Once(ended)

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        self._once.end()
        self._stream.close()


def _has_credentials(headers: httpx.Headers) -> bool:
    """Whether the client was given credentials of its own: not a key of another service that the environment has."""
    key = headers.get("x-api-key")
    return "authorization" in headers or (key is not None and key not in map(os.environ.get, _KEYS))


class _Forgetful(list[Any]):
    """In the place of the list in which langgraph_sdk keeps transports that still wait for a server: none does, and
    the list would grow with each client that a node makes."""

    def append(self, item: Any) -> None:
        """Keeps nothing."""


def _wrap_sync_client() -> None:
    import langgraph_sdk.client

    original = langgraph_sdk.client.get_sync_client
    if hasattr(original, "__wrapped__"):
        return

    @functools.wraps(original)
    def get_sync_client(*, url: str | None = None, **options: Any) -> Any:
        client = original(url=url, **options)
        if url is not None:
            return client
        made = client.http.client
        made.close()
        inner = httpx.Client(
            base_url=BASE_URL, transport=SyncInnerTransport(), timeout=made.timeout, headers=made.headers
        )
        return type(client)(inner)

    for module in (langgraph_sdk, langgraph_sdk.client, sys.modules[original.__module__]):
        vars(module)["get_sync_client"] = get_sync_client
