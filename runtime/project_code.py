"""The project's own code in the server's process: who makes a request, its application, what encrypts, and with
`--workers 0` its graphs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runyard.runtime.auth.custom import CustomAuthentication
from runyard.runtime.auth.inner_requests import InnerAddress
from runyard.runtime.config.project import Project
from runyard.runtime.config.settings import Settings
from runyard.runtime.encryption.handlers import Handlers
from runyard.runtime.errors import ConfigError
from runyard.runtime.graphs.loading import forget_modules
from runyard.runtime.graphs.script_thread import like_a_main_thread
from runyard.runtime.services.authentication import load_authenticator, load_custom
from runyard.runtime.services.encryption import load_encryption, reload_encryption
from runyard.runtime.telemetry.logs import keep_logging
from runyard.runtime.telemetry.tracing import Tracing
from runyard.runtime.webapp.loading import WebApp, load_web_app

if TYPE_CHECKING:
    from runyard.runtime.auth.requests import Authenticator
    from runyard.runtime.graphs.registry import Graphs
    from runyard.runtime.store.index import Index


@dataclass(frozen=True, slots=True)
class ChangedCode:
    """The code as it is by now, imported anew and not yet used; None where there is none."""

    authentication: CustomAuthentication | None
    web_app: WebApp | None
    encryption: Handlers | None

    async def drop(self) -> None:
        """It is not to be used after all."""
        if self.web_app is not None:
            await self.web_app.lifespan.leave()


class ProjectCode:
    """Each part is imported when it is first asked for, but for encryption; before an event loop runs, since modules
    may run one."""

    def __init__(self, settings: Settings, inner: InnerAddress, tracing: Tracing | None) -> None:
        """`inner`: what clients without a URL reach. Raises ConfigError."""
        self._settings = settings
        self._inner = inner
        self._tracing = tracing
        self._authenticator: Authenticator | None = None
        self._web_app: WebApp | None = None
        self.encryption = load_encryption(settings.project, timeout=settings.encryption_timeout)
        self.graphs: Graphs | None = None
        """Those that run in this process; None: none do, or they are not loaded yet."""
        self.index: Index | None = None
        self._has_clients = False  # whether code of the project may make requests here

    @property
    def authenticator(self) -> Authenticator | None:
        """Finds out who makes requests; None: nobody has to say who they are. Raises ConfigError."""
        if self._authenticator is None and self._settings.authenticates:
            if self._settings.project.auth is not None:
                self._connect_clients()
            self._authenticator = load_authenticator(self._settings)
            keep_logging()
        return self._authenticator

    @property
    def web_app(self) -> WebApp | None:
        """The project's own application; None: it has none. Raises ConfigError."""
        if self._web_app is None and self._settings.project.app is not None:
            self._connect_clients()
            self._web_app = load_web_app(self._settings.project, timeout=self._settings.lifespan_timeout)
            keep_logging()
        return self._web_app

    def load_graphs(self) -> Graphs:
        """Raises ConfigError."""
        if self.graphs is None:
            # Workers have these in processes of their own; here they would only take memory.
            from runyard.runtime.graphs.registry import Graphs
            from runyard.runtime.store.index import load_index

            self._connect_clients()
            graphs = Graphs(self._settings.project)
            with like_a_main_thread():
                graphs.load(strict=self._settings.strict)
                self.index = load_index(self._settings.project)
            keep_logging()
            self.graphs = graphs
        return self.graphs

    def abort_start(self) -> None:
        """Ends what is waited for of the application, which may never come."""
        if self._web_app is not None:
            self._web_app.lifespan.give_up()

    async def leave_web_app(self) -> None:
        """Ends its lifespan, if that was ever begun."""
        if self._web_app is not None:
            await self._web_app.lifespan.leave()

    async def load_changed(self, project: Project) -> ChangedCode:
        """The code of a project that has changed, whose application has begun its lifespan. Raises ConfigError when it
        cannot be used; then all stays."""
        authentication, web_app = await asyncio.to_thread(self._load_changed, project)
        keep_logging()
        encryption = await self._changed_encryption(project)
        if web_app is not None:
            await web_app.lifespan.enter()
        return ChangedCode(authentication, web_app, encryption)

    async def use(self, changed: ChangedCode) -> None:
        """Uses it from now on, in the place of what was used before."""
        if changed.encryption is not None:
            assert self.encryption is not None
            self.encryption.become(changed.encryption)
        if changed.authentication is not None:
            assert isinstance(self._authenticator, CustomAuthentication)
            self._authenticator.become(changed.authentication)
        if changed.web_app is not None:
            assert self._web_app is not None
            before = self._web_app.lifespan
            self._web_app.become(changed.web_app)
            await before.leave()

    def _load_changed(self, project: Project) -> tuple[CustomAuthentication | None, WebApp | None]:
        authenticates = isinstance(self._authenticator, CustomAuthentication)
        if not authenticates and self._web_app is None:
            return None, None
        project = replace(project, app=self._settings.project.app)  # another one needs a restart
        forget_modules(project)
        with like_a_main_thread():
            custom = load_custom(project, timeout=self._settings.auth_timeout) if authenticates else None
            if authenticates and custom is None:
                raise ConfigError(f"{project.path}: auth was taken away; restart the server to serve without it")
            return custom, load_web_app(project, timeout=self._settings.lifespan_timeout)

    async def _changed_encryption(self, project: Project) -> Handlers | None:
        if project.encryption is None and self.encryption is None:
            return None
        if project.encryption is not None and self.encryption is not None:
            return await asyncio.to_thread(reload_encryption, project, timeout=self._settings.encryption_timeout)
        raise ConfigError(f"{project.path}: encryption was added or taken away; restart the server for that")

    def serve_clients(self) -> None:
        """Clients without a URL are answered by this event loop from now on; see there."""
        if self._has_clients:
            from runyard.runtime.graphs.inner_client import serve_clients

            serve_clients(asyncio.get_running_loop())

    def _connect_clients(self) -> None:
        """Before the project's code is imported here: its clients without a URL reach this server."""
        if not self._has_clients:
            from runyard.runtime.graphs.inner_client import connect_clients, trace_clients

            self._has_clients = True
            connect_clients(self._inner)
            if self._tracing is not None:
                trace_clients(self._tracing.headers)
