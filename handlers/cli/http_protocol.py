"""uvicorn's protocol for HTTP, within bounds: how large a head may be, how long a request may take to come, how many
may wait in one connection. What is no HTTP, or beyond a bound, is answered as all other errors are, in JSON.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

LEAST_RATE = 1024
"""Bytes of a request that have to come in a second, on average, once its time-out is over."""
MOST_WAITING = 64
"""Requests that a connection may send ahead of their answers."""
LINGER = 2.0
"""Seconds for which a client that was refused may go on sending: if the connection were closed under it, it would see
a broken connection instead of the answer."""


class ConnectionLimits(NamedTuple):
    """header_bytes: of a request's line and headers. receive_timeout: seconds that a request may take to come, and a
    new connection to send one; a larger one gets more, see `LEAST_RATE`."""

    header_bytes: int
    receive_timeout: float


class BoundedConfig(Config):
    """uvicorn's configuration, with the protocol below and its limits."""

    def __init__(self, app: Any, *, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(app, http=BoundedProtocol, **options)
        self.limits = limits


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(
        self,
        config: BoundedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = config.limits
        # Since when the client is to send something; None: a whole request is here.
        self._receiving_since: float | None = None
        self._received = 0
        """Bytes of the request that is coming, but for those that came together with the one before."""
        self._begun = False
        self._completed = False
        """Whether a request came to its end with the bytes that came last."""
        self._in_head = True
        self._refused = False
        self._is_upgraded = False

    def is_overdue(self, now: float) -> bool:
        """Whether the client had its time to send what it began, or anything. `now`: the loop's time."""
        since = self._receiving_since
        if since is None:
            return False
        if self._refused:
            return now > since + LINGER
        answering = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        if answering or self.pipeline or self.flow.read_paused:
            self._receiving_since = now  # it is the client that waits
            return False
        return now > since + self._limits.receive_timeout + self._received / LEAST_RATE

    def close_overdue(self) -> None:
        """Ends such a connection; a request that has begun is answered with 408."""
        answered = self.cycle is not None and self.cycle.response_started and not self._in_head
        if self._refused or answered or not (self._begun or self._received):
            self.transport.close()
        else:
            self._refuse(408, "The request did not come in time; send it at once")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._receiving_since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._receiving_since is None:
            self._receiving_since = self.loop.time()
        self._completed = False
        super().data_received(data)
        if self._completed or self._is_upgraded:
            return
        self._received += len(data)
        if self._in_head and self._received > self._limits.header_bytes:
            self._refuse_head()

    def on_message_begin(self) -> None:
        if self._refused:
            return
        super().on_message_begin()
        self._receiving_since = self.loop.time()
        self._begun = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._refused:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._refused:
            return
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > self._limits.header_bytes:
            self._refuse_head()
        elif len(self.pipeline) >= MOST_WAITING:
            self._break_off()
        else:
            super().on_headers_complete()
            self._in_head = False

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade() and self._should_upgrade():
            self._is_upgraded = True  # another protocol takes the connection
        elif not self._refused:
            super().on_message_complete()
            # Of a request that was answered before it was complete, the rest was dropped, and now another may come.
            # That of a WebSocket has none, and this connection is another protocol's then.
            complete = self.cycle is not None and self.cycle.response_complete
            self._receiving_since = self.loop.time() if complete else None
            self._received = 0
            self._begun = False
            self._completed = True
            self._in_head = True

    def timeout_keep_alive_handler(self) -> None:
        """Closes an idle connection; one on which a request has begun meanwhile has its own time."""
        if not self._begun:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Answers with `msg` as the detail, and closes the connection."""
        self._refuse(400, msg)

    def _refuse_head(self) -> None:
        self._refuse(
            431, f"The head of the request is larger than {self._limits.header_bytes} bytes; send fewer headers"
        )

    def _refuse(self, status: int, detail: str) -> None:
        """Answers what comes, takes nothing more of it, and waits a moment for the client to read that."""
        waiting = self.cycle is not None and not self.cycle.response_complete
        if self.pipeline or (waiting and (self._in_head or self.cycle.response_started)):
            self._break_off()  # an earlier request has its answer still to come, or this one has a part of it
            return
        self._refused = True
        if self.transport.is_closing():
            return
        self._receiving_since = self.loop.time()
        self._unset_keepalive_if_required()
        if waiting:
            self._disconnect()
        body = orjson.dumps({"detail": detail})
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.flow.resume_reading()
        self.transport.write_eof()

    def _break_off(self) -> None:
        self._refused = True
        self.transport.abort()

    def _disconnect(self) -> None:
        """Tells the application, which may wait for more of the request, that there is nobody any more."""
        self.cycle.disconnected = True
        self.cycle.message_event.set()
