"""Finds the operation of a request, and refuses paths and methods that the document does not have.

Takes the place of Connexion's router, which tries one regular expression after the other, knows one method
of a path only when it names the allowed ones, and would take an undeclared method on `/threads/search` for a
thread with the id "search".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connexion.http_facts import METHODS
from connexion.middleware.abstract import ROUTING_CONTEXT

from runyard.handlers.http.errors import HttpError
from runyard.handlers.http.responses import BodyResponse
from runyard.handlers.http.scope import TEMPLATE, Receive, Scope, Send


class Route:
    """One path of the document: its operations by method."""

    def __init__(self, template: str, item: dict[str, Any]) -> None:
        self.template = template
        self.operations = {method.upper(): item[method]["operationId"] for method in item if method in METHODS}
        self.definitions = {method.upper(): item[method] for method in item if method in METHODS}
        # Not every GET answers HEAD: some wait for a run to end.
        if item.get("get", {}).get("x-head"):
            self.operations["HEAD"] = self.operations["GET"]
        self.allow = (b"allow", ", ".join(sorted({*self.operations, "OPTIONS"})).encode())


class PathNode:
    """One level of the tree of paths that have parameters."""

    def __init__(self) -> None:
        self.literal: dict[str, PathNode] = {}
        self.parameter: tuple[str, PathNode] | None = None
        self.route: Route | None = None

    def add(self, segments: list[str], route: Route) -> None:
        """Hangs `route` into the tree under the segments of its template."""
        if not segments:
            self.route = route
        elif segments[0].startswith("{"):
            name = segments[0].strip("{}").replace("-", "_")
            if self.parameter is None:
                self.parameter = (name, PathNode())
            if self.parameter[0] != name:
                raise ValueError(f"{route.template}: the parameter is named {self.parameter[0]} in another path")
            self.parameter[1].add(segments[1:], route)
        else:
            self.literal.setdefault(segments[0], PathNode()).add(segments[1:], route)

    def find(self, segments: list[str], position: int, found: dict[str, str]) -> Route | None:
        """The route of a path's segments from `position` on; its parameters are put into `found`."""
        if position == len(segments):
            return self.route
        segment = segments[position]
        if segment in self.literal and (route := self.literal[segment].find(segments, position + 1, found)):
            return route
        if self.parameter is None or not segment:
            return None
        found[self.parameter[0]] = segment
        return self.parameter[1].find(segments, position + 1, found)


class RouteTable:
    """All paths of the document."""

    def __init__(self, paths: Mapping[str, dict[str, Any]]) -> None:
        self._exact: dict[str, Route] = {}
        self._tree = PathNode()
        for template, item in paths.items():
            route = Route(template, item)
            if "{" in template:
                self._tree.add(template.split("/")[1:], route)
            else:
                self._exact[template] = route
                if len(template) > 1 and template.endswith("/"):
                    self._exact[template[:-1]] = route

    def find(self, path: str, parameters: dict[str, str]) -> Route | None:
        """The route of a path, whose parameters are put into `parameters`."""
        return self._exact.get(path) or self._tree.find(path.split("/")[1:], 0, parameters)


class RoutingMiddleware:
    """Puts the operation's id into the scope, where the routed middlewares of Connexion look for it.

    A path is also found with a slash at its end that the document does not have, or without the one that it has. Paths
    with one of `flask_prefixes` belong to no operation and go on to Flask. All paths begin with `mount_prefix`.
    """

    def __init__(self, app: Any, *, table: RouteTable, flask_prefixes: tuple[str, ...], mount_prefix: str = "") -> None:
        self.app = app
        self.table = table
        self.flask_prefixes = flask_prefixes
        self.above = len(mount_prefix)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"][self.above :]
        parameters: dict[str, str] = {}
        route = self.table.find(path, parameters)
        if route is None and len(path) > 1 and path.endswith("/"):
            parameters.clear()
            if route := self.table.find(path[:-1], parameters):
                scope["path"] = scope["path"][:-1]  # Flask finds its pages by it
        context: dict[str, Any] = {}
        if route is not None:
            scope[TEMPLATE] = route.template
            operation_id = route.operations.get(scope["method"])
            if operation_id is None:
                if scope["method"] == "OPTIONS":
                    await BodyResponse(204, headers=[route.allow])(scope, receive, send)
                    return
                raise HttpError(405, "Method Not Allowed", [route.allow])
            context = {"api_base_path": "", "operation_id": operation_id}
            scope["path_params"] = parameters
        elif not path.startswith(self.flask_prefixes):
            raise HttpError(404, "Not Found")
        scope.setdefault("extensions", {})[ROUTING_CONTEXT] = context
        await self.app(scope, receive, send)
