"""How WebSockets come in.

Connexion knows none: its router looks at HTTP alone, and Flask, below it, closes whatever else there is. So they are
taken out of the stack in front of it. What stands before and in the operations of the document holds for them all the
same:

- the name of the server and the origin of the page are looked at before anything else, and refused with 403; a cookie
  counts only on the server's own pages;
- a path is one of the document's that says `x-runyard-websocket`, so what `http.disable_*` takes away is not there;
- who connects is authenticated by the same authenticator, with the headers of the handshake, and again for each
  command: what is revoked opens nothing any more. Each command asks the same authorisation handlers, and reaches as
  far, as over HTTP;
- frames are held against the components that the document names, in both directions where answers are checked;
- a project's own application (`http.app`) is served around the operations, and not around these: its middleware does
  not see them, nor `http.middleware_order`. WebSockets of its own routes are handed on to it;
- the size of a frame is bounded like that of a body; how many come in a while, and what one connection may have, by
  whoever serves it;
- requests are counted, as of the method WEBSOCKET, with 101 or the status that they were refused with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, Protocol

from runyard.handlers.contract.authentication import Authentication, ReceivedBody, no_body
from runyard.handlers.contract.header_selection import run_headers
from runyard.handlers.contract.middleware import encryption_header
from runyard.handlers.contract.routing import RouteTable
from runyard.handlers.http.callers import Hosts, Origins
from runyard.handlers.http.edge import OtherOrigins, RequestObserver
from runyard.handlers.http.errors import STATUS, HttpError, error_response
from runyard.handlers.http.scope import TEMPLATE, Receive, Scope, Send
from runyard.handlers.http.websocket import REFUSED, Disconnected, WebSocket, deny
from runyard.runtime.auth.inner_requests import SYSTEM, acting_for
from runyard.runtime.auth.principal import ANONYMOUS, Principal
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.config.ids import usual_id
from runyard.runtime.config.project import HeaderFilter
from runyard.runtime.errors import Invalid, RunyardError
from runyard.runtime.services.encryption import RequestContexts

METHOD: Final = "WEBSOCKET"
"""What stands for the method of HTTP where requests are counted."""
MARK: Final = "x-runyard-websocket"

_SWITCHED: Final = 101
_FAILED: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A WebSocket that was let in.

    thread_id: from its path.
    headers: those that the project hands on to runs.
    authenticate: says anew who it is that has connected. Raises what authentication raises.
    """

    socket: WebSocket
    thread_id: str
    headers: Mapping[str, str]
    authenticate: Callable[[], Awaitable[Principal]]


class WebSocketEndpoint(Protocol):
    """What serves the WebSockets of a path."""

    async def __call__(self, connection: Connection) -> None:
        """Serves one until it is closed. Raises RunyardError to have it closed with the status of that."""


class WebSocketMiddleware:
    """Serves WebSockets; all else goes on. `endpoints`: what serves them, by the ids of the operations that say so."""

    def __init__(
        self,
        app: Any,
        *,
        table: RouteTable,
        endpoints: Mapping[str, WebSocketEndpoint],
        mount_prefix: str,
        origins: Origins,
        others: OtherOrigins | None,
        hosts: Hosts,
        configurable_headers: HeaderFilter | None,
        authentication: Authentication | None,
        encryption: RequestContexts | None,
        metrics: RequestObserver,
    ) -> None:
        """`others`: there is an application of the project further inside, which takes WebSockets of its own, and whose
        origins may use ours too."""
        self.app = app
        self._table = table
        self._endpoints = endpoints
        self._prefix = mount_prefix
        self._origins = origins
        self._others = others
        self._hosts = hosts
        self._select_headers = run_headers(configurable_headers or HeaderFilter(includes=()))
        self._authentication = authentication
        self._encryption = encryption
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        parameters: dict[str, str] = {}
        endpoint = self._find(scope, parameters)
        if endpoint is None and self._others is not None:
            await self.app(scope, receive, send)
            return
        acting_for.set(SYSTEM)  # what the project's code does here, it does for the server
        started = perf_counter()
        status = _SWITCHED
        try:
            status = await self._serve(endpoint, parameters, scope, receive, send)
        finally:
            self._metrics.observe_request(METHOD, scope.get(TEMPLATE, "other"), status, perf_counter() - started)

    def _find(self, scope: Scope, parameters: dict[str, str]) -> WebSocketEndpoint | None:
        """What serves the path; its parameters are put into `parameters`. None where it takes no WebSockets."""
        path: str = scope["path"]
        if not path.startswith(f"{self._prefix}/"):
            return None
        route = self._table.find(path[len(self._prefix) :].rstrip("/"), parameters)
        for method, definition in () if route is None else route.definitions.items():
            if route is not None and MARK in definition:
                scope[TEMPLATE] = route.template
                return self._endpoints[route.operations[method]]
        return None

    async def _serve(
        self,
        endpoint: WebSocketEndpoint | None,
        parameters: dict[str, str],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> int:
        """The status that HTTP would have for what came of it."""
        try:
            self._check(scope)
            if endpoint is None:
                raise HttpError(404, "Not Found")
        except HttpError as error:
            await deny(error_response(error, scope["path"]), scope, receive, send)
            return error.status
        socket = WebSocket(receive, send)
        try:
            await socket.accept()
            thread_id = usual_id(parameters["thread_id"])
            if thread_id is None:
                raise Invalid("Invalid thread ID: must be a UUID")
            connection = Connection(
                socket=socket,
                thread_id=thread_id,
                headers=self._select_headers(scope["headers"]),
                authenticate=self._authenticator(scope, parameters),
            )
            await connection.authenticate()
            await endpoint(connection)
        except Disconnected:
            pass
        except (RunyardError, HttpError) as error:
            status = status_of(error)
            await socket.close(REFUSED + status, error.detail)
            return status
        except Exception as error:  # noqa: BLE001 - a defect; it is in the log, and ends this connection only
            error_response(error, f"{METHOD} {scope['path']}")
            await socket.close(REFUSED + _FAILED, "Internal Server Error")
            return _FAILED
        return _SWITCHED

    def _check(self, scope: Scope) -> None:
        """Raises HttpError for a caller who may not."""
        headers = dict(scope["headers"])
        host, origin = headers.get(b"host"), headers.get(b"origin")
        if host is not None:
            self._hosts.check(host)
        if origin is not None and not (self._others is not None and self._others.allows(origin, host)):
            self._origins.check(origin, host)

    def _authenticator(self, scope: Scope, parameters: dict[str, str]) -> Callable[[], Awaitable[Principal]]:
        # Handlers of projects know requests of HTTP, which the handshake is one of.
        request: Scope = {**scope, "type": "http", "method": "GET", "path_params": parameters}

        async def authenticate() -> Principal:
            principal = ANONYMOUS
            if self._authentication is not None:
                principal = await self._authentication.authenticate(request, ReceivedBody(None, request, no_body))
            if self._encryption is not None:
                principal = await self._encryption.of(principal, encryption_header(request))
            return principal

        return authenticate


def status_of(error: RunyardError | HttpError) -> int:
    """The status that HTTP has for an error."""
    if isinstance(error, (HttpError, Refusal)):
        return error.status
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), _FAILED)
