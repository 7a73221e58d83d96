"""Which requests are the application's, and which are ours.

Those of its own routes are its own, also where we have an operation of that path; but not those of a route for any path
whatever (a front end at the root, a fallback to its page), which would leave us none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.applications import Starlette
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Host, Match, NoMatchFound, Router

from runyard.handlers.contract.routing import Route, RouteTable
from runyard.handlers.http.scope import Scope

FIXED: Final = frozenset(("/ok", "/metrics", "/docs", "/openapi.json"))
"""Paths that no application takes, as on the official server: what watches the server needs to find it there."""
_ANY: Final = "/runyard/any/path/2f6c1d"
"""No application has a route of its own for it."""
_WRAPPERS: Final = 20


def starlette_in(app: Any) -> tuple[Starlette | None, list[Any]]:
    """The Starlette (or FastAPI) application in `app`, and the middlewares that were put around it, the outermost
    first; by convention they call `app` what they wrap."""
    around: list[Any] = []
    while not isinstance(app, Starlette) and len(around) < _WRAPPERS:
        around.append(app)
        app = getattr(app, "app", None)
        if app is None:
            return None, around
    return (app, around) if isinstance(app, Starlette) else (None, around)


class Ownership:
    """Says of each request whether it is ours."""

    def __init__(
        self, table: RouteTable, *, prefix: str = "", assets: tuple[str, ...] = (), router: Router | None = None
    ) -> None:
        """`table`: our paths. `prefix`: see `http.mount_prefix`. `assets`: how further paths of ours begin. `router`:
        that of the application, where it has one."""
        self._table = table
        self._above = len(prefix)
        self._prefix = prefix
        self._assets = assets
        self._router = router
        self._narrow: dict[str, list[BaseRoute]] = {}
        self._seen = -1

    def route_of(self, scope: Scope) -> Route | None:
        """Our route of the request's path, whoever answers it."""
        path: str = scope["path"][self._above :]
        route = self._table.find(path, {})
        if route is None and len(path) > 1 and path.endswith("/"):
            route = self._table.find(path[:-1], {})
        return route

    def is_ours(self, scope: Scope) -> bool:
        """Whether we answer the request."""
        path: str = scope["path"][self._above :]
        if path.startswith(self._assets):
            return True
        route = self.route_of(scope)
        if route is None:
            return False
        if route.template in FIXED:
            return True
        if self._router is None:
            return True
        if route.template == "/":
            return not any(_takes(each, scope) for each in self._all(self._router))
        return not any(_takes(each, scope) for each in self._own_routes(scope))

    def _own_routes(self, scope: Scope) -> Sequence[BaseRoute]:
        """The routes of the application but for those of any path."""
        assert self._router is not None
        if self._seen != len(self._router.routes):  # an application may add some at its start
            self._seen, self._narrow = len(self._router.routes), {}
        kind: str = scope["type"]
        if kind not in self._narrow:
            probe = {**scope, "path": f"{self._prefix}{_ANY}"}
            self._narrow[kind] = [
                route
                for route in self._router.routes
                if isinstance(route, Host)
                or (not isinstance(route, OwnRoute) and route.matches(probe)[0] is Match.NONE)
            ]
        return self._narrow[kind]

    @staticmethod
    def _all(router: Router) -> list[BaseRoute]:
        # FastAPI keeps what is looked at last, its front ends, elsewhere.
        last: list[BaseRoute] = getattr(router, "_low_priority_routes", [])
        return [route for route in (*router.routes, *last) if not isinstance(route, OwnRoute)]


def _takes(route: BaseRoute, scope: Scope) -> bool:
    return route.matches({**scope})[0] is Match.FULL


class OwnRoute(BaseRoute):
    """The first route of the application, which decides about all requests; behind all its middleware."""

    def __init__(self, router: Router, serve: Any) -> None:
        """`serve` answers a request, or lets the application's `router` do it."""
        self._router = router
        self._serve = serve

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.NONE if scope.get(_DECIDED) else Match.FULL), {}

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Any, send: Any) -> None:
        scope.pop("route", None)
        await self._serve(scope, receive, send, self._rest)

    async def _rest(self, scope: Scope, receive: Any, send: Any) -> None:
        scope[_DECIDED] = True
        await self._router.app(scope, receive, send)


_DECIDED: Final = "runyard.decided"


def join(router: Router, serve: Any) -> None:
    """Puts our route before those of the application; in the place of an earlier one of ours."""
    routes = [route for route in router.routes if not isinstance(route, OwnRoute)]
    router.routes[:] = [OwnRoute(router, serve), *routes]
