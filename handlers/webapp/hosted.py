"""The project's application, put together with what it needs of the server."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from runyard.handlers.contract.authentication import Authentication
from runyard.handlers.contract.routing import RouteTable
from runyard.handlers.http.callers import Origins
from runyard.handlers.webapp.gate import Gate
from runyard.handlers.webapp.hosting import AppOrigins, HostingMiddleware, WebApp
from runyard.handlers.webapp.routes import starlette_in
from runyard.runtime.config.settings import Settings

logger = logging.getLogger(__name__)


class Hosted:
    """One application. `authenticates`: whether its own routes ask who makes a request. `origins`: those that it lets
    in. `place`: its name in the log."""

    def __init__(self, web_app: WebApp, settings: Settings, authentication: Authentication | None) -> None:
        """`authentication`: None: nobody has to say who they are."""
        section = settings.project.app
        assert section is not None
        if authentication is not None and section.authenticates is None:
            logger.warning(
                "%s: its own routes answer whoever asks; http.enable_custom_route_auth says whether they shall",
                web_app.place,
            )
        self._web_app = web_app
        self._settings = settings
        self._auth_first = section.auth_first
        self.place = web_app.place
        self.authenticates = authentication is not None and bool(section.authenticates)
        self.origins = AppOrigins()
        self._gate = Gate(
            authentication,
            authenticates=self.authenticates,
            body_limit=max(settings.body_limit, settings.batch_body_limit),
        )

    @property
    def app(self) -> Any:
        """What may describe itself, as it is by now."""
        return starlette_in(self._web_app.asgi)[0] or self._web_app.asgi

    def middleware(
        self, table: RouteTable, assets: tuple[str, ...], origins: Origins, check: Callable[[Any], Any] | None
    ) -> Callable[[Any], Any]:
        """The layer that serves it. See `HostingMiddleware`."""
        return partial(
            HostingMiddleware,
            web_app=self._web_app,
            table=table,
            assets=assets,
            prefix=self._settings.project.mount_prefix,
            gate=self._gate,
            auth_first=self._auth_first,
            origins=origins,
            app_origins=self.origins,
            check=check,
        )
