"""The layer that serves the project's application, with our operations inside it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from runyard.handlers.contract.bodies import ClientDisconnected
from runyard.handlers.contract.routing import RouteTable
from runyard.handlers.http.callers import Origins
from runyard.handlers.http.errors import HttpError, error_response
from runyard.handlers.http.responses import BodyResponse
from runyard.handlers.http.scope import APP_ROUTE, AUTHENTICATED, PROBE, TEMPLATE, Header, Message, Receive, Scope, Send
from runyard.handlers.webapp.cors import origins_of
from runyard.handlers.webapp.gate import Gate, show_user
from runyard.handlers.webapp.routes import Ownership, join, starlette_in
from runyard.runtime.errors import RunyardError

logger = logging.getLogger(__name__)

_PLAIN: Header = (b"content-type", b"text/plain; charset=utf-8")


class AppLifespan(Protocol):
    """What goes around the application's requests."""

    state: dict[str, Any]


class WebApp(Protocol):
    """The application. It may become another one, when its code has changed."""

    @property
    def asgi(self) -> Any:
        """What serves requests."""

    @property
    def place(self) -> str:
        """Its name in the log."""

    @property
    def lifespan(self) -> AppLifespan:
        """What goes around its requests."""


class BrokenOff(Exception):
    """An answer of ours ended before it was complete; it is in the log."""


class AppOrigins:
    """The origins that the application's own middleware lets in, as the application is by now."""

    def __init__(self) -> None:
        self.origins: Origins | None = None

    def allows(self, origin: bytes, host: bytes | None) -> bool:
        """Whether pages of the origin may use the server, as far as the application is concerned."""
        return self.origins is not None and self.origins.allows(origin, host)


class HostingMiddleware:
    """Serves `web_app`, which hands what is ours on to `app`.

    What the application raises is its own: it is in the log with its traceback, and answered by the application's
    handlers, or in plain text.
    """

    def __init__(
        self,
        app: Any,
        *,
        web_app: WebApp,
        table: RouteTable,
        assets: tuple[str, ...],
        prefix: str,
        gate: Gate,
        auth_first: bool,
        origins: Origins,
        app_origins: AppOrigins,
        check: Callable[[Any], Any] | None,
    ) -> None:
        """`table`, `assets`: our paths, and how further ones begin. `gate` asks who makes requests: of ours when
        `auth_first`, before the application sees them. `origins`: those whose pages may use our operations, beside
        `app_origins`. `check` puts what looks at answers around what gives ours."""
        self._inside = app
        self._ours: Any = Ours(app, origins, app_origins)
        if check is not None:
            self._ours = check(self._ours)
        self._web_app = web_app
        self._table = table
        self._assets = assets
        self._prefix = prefix
        self._gate = gate
        self._auth_first = auth_first
        self._app_origins = app_origins
        self._prepared: Any = None
        self._prepare()

    def _prepare(self) -> None:
        app = self._web_app.asgi
        starlette, around = starlette_in(app)
        router = None if starlette is None else starlette.router
        self._ownership = Ownership(self._table, prefix=self._prefix, assets=self._assets, router=router)
        self._app_origins.origins = origins_of(starlette, around)
        self._routed = router is not None
        if router is not None:
            join(router, self._serve)
        self._prepared = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope.get(PROBE):
            await self._inside(scope, receive, send)
            return
        app = self._web_app.asgi
        if app is not self._prepared:
            self._prepare()
        scope["state"] = {**scope.get("state", {}), **self._web_app.lifespan.state}
        if self._auth_first:
            ours = self._ownership.is_ours(scope)
            route = self._ownership.route_of(scope)
            try:
                if ours:
                    receive = await self._gate.pass_to_ours(scope, receive, route)
                elif not _is_preflight(scope):
                    receive = await self._gate.pass_to_app(scope, receive)
            except ClientDisconnected:
                return
            except (RunyardError, HttpError) as refusal:
                await refuse(scope, receive, send, refusal)
                return
        answer = _Answer(send)
        try:
            if self._routed:
                await app(scope, receive, answer.send)
            else:
                await self._serve(scope, receive, answer.send, app)
        except (BrokenOff, asyncio.CancelledError):
            raise
        except BaseException as error:  # the application may raise anything, SystemExit too
            said = f"{scope.get('method', 'WebSocket')} {scope['path']}"
            logger.error("%s: %s failed", self._web_app.place, said, exc_info=error)
            if answer.begun and not answer.complete:
                raise BrokenOff from None
            if not answer.begun:
                await _fail(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, rest: Callable[..., Any]) -> None:
        """Behind the application's middleware, where it is known: what is ours, or else `rest`."""
        if self._ownership.is_ours(scope):
            await self._ours(scope, receive, send)
            return
        scope[TEMPLATE] = APP_ROUTE
        try:
            receive = await self._gate.pass_to_app(scope, receive)
        except ClientDisconnected:
            return
        except (RunyardError, HttpError) as refusal:
            await refuse(scope, receive, send, refusal)
            return
        await rest(scope, receive, send)


class Ours:
    """Our operations as the application's middleware sees them: whatever happens, there is an answer."""

    def __init__(self, app: Any, origins: Origins, app_origins: AppOrigins) -> None:
        self._app = app
        self._origins = origins
        self._app_origins = app_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A copy: the application's middleware looks at its own when we are done.
        inner = {**scope}
        begun = False

        async def send_known(message: Message) -> None:
            nonlocal begun
            if not begun:
                begun = True
                _tell(scope, inner)
            await send(message)

        try:
            self._check_origin(scope)
            await self._app(inner, receive, send_known)
        except Exception as error:  # whatever it is, the application's middleware is to see an answer
            if begun:
                logger.debug("an answer broke off", exc_info=error)
                raise BrokenOff from error
            await error_response(error, f"{scope.get('method')} {scope['path']}")(inner, receive, send_known)
        finally:
            _tell(scope, inner)

    def _check_origin(self, scope: Scope) -> None:
        headers = dict(scope["headers"])
        origin, host = headers.get(b"origin"), headers.get(b"host")
        if origin is not None and not self._app_origins.allows(origin, host):
            self._origins.check(origin, host)


def _is_preflight(scope: Scope) -> bool:
    """Whether a browser asks what a page may do: it sends no credentials, and middleware of the application answers."""
    if scope.get("method") != "OPTIONS":
        return False
    return any(name == b"access-control-request-method" for name, _ in scope["headers"])


def _tell(scope: Scope, inner: Mapping[str, Any]) -> None:
    """Has the layers outside know what was found out inside."""
    if TEMPLATE in inner:
        scope[TEMPLATE] = inner[TEMPLATE]
    if AUTHENTICATED in inner and AUTHENTICATED not in scope:
        scope[AUTHENTICATED] = inner[AUTHENTICATED]
        show_user(scope, inner[AUTHENTICATED])


class _Answer:
    """What was sent so far."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        self.complete = False

    async def send(self, message: Message) -> None:
        kind = message["type"]
        self.begun = self.begun or kind in ("http.response.start", "websocket.accept", "websocket.close")
        if kind == "websocket.close" or (kind == "http.response.body" and not message.get("more_body", False)):
            self.complete = True
        await self._send(message)


async def refuse(scope: Scope, receive: Receive, send: Send, error: Exception) -> None:
    """Answers a request that is not let in."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    scope.setdefault(TEMPLATE, APP_ROUTE)
    await error_response(error, f"{scope['method']} {scope['path']}")(scope, receive, send)


async def _fail(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1011})
        return
    await BodyResponse(500, b"Internal Server Error", [_PLAIN])(scope, receive, send)
