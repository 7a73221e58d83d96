"""The pages, as plain functions that Flask calls in a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flask

from runyard.handlers.api.system import HEALTH
from runyard.handlers.console import ASSETS

if TYPE_CHECKING:
    from runyard.runtime.runtime import Runtime


class Pages:
    """The operations that answer HTML."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def root(self) -> flask.Response:
        """GET /: the health answer; for browsers, which prefer HTML, a page about the server."""
        offered = ["application/json", "text/html"]
        if flask.request.accept_mimetypes.best_match(offered) == "text/html":
            graphs = self.runtime.settings.project.graphs.values()
            page = flask.render_template(
                "landing.html",
                info=self.runtime.system.info(),
                graphs=graphs,
                url=flask.request.url_root.rstrip("/"),
            )
            response = flask.Response(page, mimetype="text/html")
        else:
            response = flask.Response(HEALTH, mimetype="application/json")
        response.vary.add("Accept")
        return response

    def docs(self) -> flask.Response:
        """GET /docs"""
        return flask.Response(flask.render_template("docs.html", assets=ASSETS), mimetype="text/html")
