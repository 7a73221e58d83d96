"""The pages, as plain functions that Flask calls on a pool thread."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import flask

from runyard.handlers.console import ASSETS_PATH
from runyard.handlers.console.guidebook import guidebook
from runyard.handlers.http.responses import HEALTH

if TYPE_CHECKING:
    from runyard.runtime.config.project import GraphSpec

_POLICY = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What a guide may load: its icon, and the style that stands in it."""

_SIGN_IN_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)


class ServerInfo(Protocol):
    """Where the pages learn about the server."""

    def info(self) -> dict[str, Any]:
        """Its versions and what it can do, as JSON."""


class Pages:
    """The operations that answer with HTML."""

    def __init__(
        self,
        system: ServerInfo,
        graphs: Callable[[], Mapping[str, GraphSpec]],
        *,
        landing: bool = True,
        graphs_are_secret: bool = False,
    ) -> None:
        """`landing`: whether browsers get a page about the server at its root. `graphs_are_secret`: whether that page,
        which everybody sees, leaves them out."""
        self.graphs_are_secret = graphs_are_secret
        self.system = system
        self.landing = landing
        self.graphs = graphs
        self._guides: dict[str, str] = {}

    def root(self) -> flask.Response:
        """GET /: the health answer; for browsers, which prefer HTML, a page about the server."""
        offered = ["application/json", "text/html"]
        if self.landing and flask.request.accept_mimetypes.best_match(offered) == "text/html":
            page = flask.render_template(
                "landing.html",
                info=self.system.info(),
                graphs=() if self.graphs_are_secret else self.graphs().values(),
                sign_in=self.graphs_are_secret,
                url=flask.request.url_root.rstrip("/"),
            )
            response = flask.Response(page, mimetype="text/html")
        else:
            response = flask.Response(HEALTH, mimetype="application/json")
        response.vary.add("Accept")
        return response

    def sign_in(self) -> flask.Response:
        """GET /sign-in"""
        nonce = secrets.token_urlsafe(16)
        response = flask.Response(flask.render_template("sign_in.html", nonce=nonce), mimetype="text/html")
        response.headers["content-security-policy"] = _SIGN_IN_POLICY.format(nonce=nonce)
        response.headers["cache-control"] = "no-store"
        return response

    def docs(self) -> flask.Response:
        """GET /docs"""
        # Relative, for servers that are below a path.
        return flask.Response(flask.render_template("docs.html", assets=ASSETS_PATH.lstrip("/")), mimetype="text/html")

    def guides(self) -> flask.Response:
        """GET /guides"""
        return self._guide("")

    def guide(self, name: str) -> flask.Response:
        """GET /guides/{name}"""
        if name not in guidebook():
            flask.abort(404, f"There is no guide of that name; there are {', '.join(guidebook())}")
        return self._guide(name)

    def _guide(self, name: str) -> flask.Response:
        page = self._guides.get(name)
        if page is None:
            page = self._guides[name] = _render_guide(name)
        return flask.Response(page, mimetype="text/html", headers={"content-security-policy": _POLICY})


def _render_guide(name: str) -> str:
    """The page of a guide; of the list of all, when `name` is empty. Links in it are relative, for servers that a
    proxy puts below a path."""
    guides = list(guidebook().values())
    if not name:
        return flask.render_template("guides.html", guides=guides, current="", top="")
    following = {guide.name: after for guide, after in pairwise(guides)}
    return flask.render_template(
        "guide.html", guides=guides, current=name, top="../", guide=guidebook()[name], next=following.get(name)
    )
