"""The outermost layer: a response to every request, who may call at all, the headers that browsers need, metrics, and
the span of the request where traces are on.

One layer for all, since each layer that wraps `send` costs every request a call.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Any, Protocol

from runyard.handlers.http.callers import Hosts
from runyard.handlers.http.cors import Cors
from runyard.handlers.http.errors import HttpError, error_response
from runyard.handlers.http.request_log import RequestLog
from runyard.handlers.http.scope import CALLER, TEMPLATE, Header, Message, Receive, Scope, Send
from runyard.runtime.auth.inner_requests import SYSTEM, acting_for

_ALLOWED = b"access-control-allow-origin"
_METHODS = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))


class RequestObserver(Protocol):
    """Where requests are counted and timed."""

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request that was answered. `route` is the path's template, or "other"."""


class RequestSpan(Protocol):
    """A request in its trace."""

    def end(self, route: str, status: int) -> None:
        """It was answered. `route` as for `RequestObserver`."""


class RequestTracer(Protocol):
    """Where requests become part of traces."""

    def begin_request(self, method: str, headers: Iterable[Header]) -> RequestSpan:
        """One request, in whose task what follows from it finds its trace."""


class OtherOrigins(Protocol):
    """Origins that are let in by whoever decides about them further inside."""

    def allows(self, origin: bytes, host: bytes | None) -> bool:
        """Whether pages of the origin may use the server that the request's Host header calls `host`."""


class EdgeMiddleware:
    """Refuses callers, turns exceptions into responses, adds the headers of `cors`, tells `metrics` of each
    request, `tracing` where there is one, and `request_log` where requests are logged."""

    def __init__(
        self,
        app: Any,
        *,
        cors: Cors,
        hosts: Hosts,
        metrics: RequestObserver,
        tracing: RequestTracer | None = None,
        others: OtherOrigins | None = None,
        request_log: RequestLog | None = None,
    ) -> None:
        """`others`: there is an application inside that decides about origins for its own routes, and lets these use
        ours too; None: there is none, and `cors` decides here."""
        self.app = app
        self.cors = cors
        self.hosts = hosts
        self.metrics = metrics
        self.tracing = tracing
        self.others = others
        self.request_log = request_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._pass_on(scope, receive, send)
            return
        started = perf_counter()
        method: str = scope["method"]
        status = 0
        origin = host = None
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"origin":
                origin = value
        span = None if self.tracing is None else self.tracing.begin_request(method, scope["headers"])
        cors_headers = self.cors.response_headers(origin, host)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message.get("headers", ())
                if self.others is None or not any(name.lower() == _ALLOWED for name, _ in headers):
                    message["headers"] = [*headers, *cors_headers]
            await send(message)

        inner = CALLER in scope
        if not inner:
            acting_for.set(SYSTEM)  # what the project's code does here, it does for the server
        try:
            if host is not None and not inner:
                self.hosts.check(host)
            if origin is not None:
                if self.others is None:
                    self.cors.origins.check(origin, host)
                request = dict(scope["headers"])
                asks = method == "OPTIONS" and b"access-control-request-method" in request
                if asks and (self.others is None or self._decides(self.others, origin, host)):
                    await self.cors.preflight(request)(scope, receive, send_with_headers)
                    return
            await self.app(scope, receive, send_with_headers)
        except Exception as error:
            if status:
                raise  # the response has begun, so all that is left is to break the connection off
            await error_response(error, f"{method} {scope['path']}")(scope, receive, send_with_headers)
        finally:
            # Labels that a client could make up would let the metrics grow without end.
            known = method if method in _METHODS else "other"
            route = scope.get(TEMPLATE, "other")
            seconds = perf_counter() - started
            self.metrics.observe_request(known, route, status or 499, seconds)
            if self.request_log is not None:
                self.request_log.add(scope, status or 499, seconds)
            if span is not None:
                span.end(route, status or 499)

    def _decides(self, others: OtherOrigins, origin: bytes, host: bytes | None) -> bool:
        """Whether a preflight is answered here: what the application lets in, it answers as it likes."""
        return self.cors.origins.allows(origin, host) and not others.allows(origin, host)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What is no request. A WebSocket is opened only by a name that the server answers to: else any page could
        give its own name this address."""
        if scope["type"] == "websocket":
            if CALLER not in scope:
                acting_for.set(SYSTEM)
            host = next((value for name, value in scope["headers"] if name == b"host"), None)
            try:
                if host is not None:
                    self.hosts.check(host)
            except HttpError:
                await send({"type": "websocket.close", "code": 1008})
                return
        await self.app(scope, receive, send)
