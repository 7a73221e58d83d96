"""The web application: the document's operations on Connexion, the pages on Flask below it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from connexion.apps.flask import FlaskApp
from connexion.middleware.context import ContextMiddleware
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.resolver import Resolver
from flask_swagger_ui.flask_swagger_ui import get_swaggerui_blueprint

from runyard.handlers import console
from runyard.handlers.api.system import MetricsReader
from runyard.handlers.contract.answers.check import AnswerCheckMiddleware, ViolationCounter
from runyard.handlers.contract.authentication import Authentication
from runyard.handlers.contract.bodies import BodyLimits
from runyard.handlers.contract.document import load_document
from runyard.handlers.contract.header_selection import logged_headers
from runyard.handlers.contract.middleware import ContractMiddleware
from runyard.handlers.contract.openapi31 import add_document
from runyard.handlers.contract.routing import RouteTable, RoutingMiddleware
from runyard.handlers.contract.security import describe_security
from runyard.handlers.contract.websockets import WebSocketMiddleware
from runyard.handlers.http.callers import read_callers
from runyard.handlers.http.cors import Cors
from runyard.handlers.http.edge import EdgeMiddleware, RequestObserver, RequestTracer
from runyard.handlers.http.mount import MountPrefix
from runyard.handlers.http.request_log import RequestLog
from runyard.handlers.operations import Services, operation_table, websocket_endpoints
from runyard.handlers.webapp.document import ServedDocument
from runyard.handlers.webapp.hosted import Hosted
from runyard.handlers.webapp.hosting import WebApp
from runyard.runtime.auth.inner_requests import SYSTEM, acting_for
from runyard.runtime.auth.requests import Authenticator
from runyard.runtime.services.encryption import RequestContexts
from runyard.runtime.services.sign_ins import SignIns


class ServerMetrics(MetricsReader, RequestObserver, ViolationCounter, Protocol):
    """Where requests are counted, and all metrics are read."""


class Server(Services, Protocol):
    """What is served: `runyard.runtime.runtime.Runtime`."""

    @property
    def metrics(self) -> ServerMetrics:
        """What is measured."""

    @property
    def tracing(self) -> RequestTracer | None:
        """Makes requests part of traces; None: traces are off."""

    @property
    def authenticator(self) -> Authenticator | None:
        """Finds out who makes requests; None: nobody has to say who they are. Raises ConfigError."""

    @property
    def sign_ins(self) -> SignIns:
        """The browsers whose users have signed in."""

    @property
    def web_app(self) -> WebApp | None:
        """The project's own application, which is served around ours; None: it has none. Raises ConfigError."""

    @property
    def encryption(self) -> RequestContexts | None:
        """The contexts in which requests have their data encrypted; None: nothing is."""

    async def start(self) -> None:
        """Called before the first request. What it raises ends the start."""

    async def stop(self) -> None:
        """Called after the last request."""


def create_app(server: Server) -> FlaskApp:
    """An ASGI application that serves `server`, and starts and stops it.

    Serve it with the lifespan protocol on: the stack is built at its first message, and mistakes in it must
    end the start instead of the first request.
    """

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        acting_for.set(SYSTEM)  # code of the project that runs as long as the server does
        await server.start()
        try:
            yield
        finally:
            await server.stop()

    settings, project = server.settings, server.settings.project
    authentication = None
    if (authenticator := server.authenticator) is not None:
        authentication = Authentication(authenticator, server.sign_ins)
    unneeded = frozenset(("sign-in",) if authentication is None else ())
    document = load_document(project.disabled | unneeded, batch_limit=settings.batch_limit)
    if authentication is not None:
        describe_security(document, project.auth)
    hosted = None if server.web_app is None else Hosted(server.web_app, settings, authentication)
    prefix = project.mount_prefix
    served = ServedDocument(document, hosted, mount_prefix=prefix)
    table = operation_table(server, document, authentication, served)
    origins, hosts = read_callers(settings)
    assets = (f"{console.ASSETS_PATH}/",)
    own_assets = () if "meta" in project.disabled else assets
    routes = RouteTable(document["paths"])
    check = None
    if settings.check_answers:
        check = partial(
            AnswerCheckMiddleware,
            document=document,
            metrics=server.metrics,
            prefixes=tuple(f"{prefix}{path}" for path in assets),
        )
    logged = project.logging_headers
    app = FlaskApp(
        console.__name__,
        lifespan=lifespan,
        # Flask cannot find this folder by itself for a namespace package; nothing is kept there.
        server_args={"instance_path": str(Path(console.__file__).parent)},
        # From the outside to the inside; Flask comes last.
        middlewares=[
            # What the project's application makes of answers is its own.
            *([] if check is None or hosted is not None else [check]),
            partial(
                WebSocketMiddleware,
                table=routes,
                endpoints=websocket_endpoints(server, document),
                mount_prefix=prefix,
                origins=origins,
                others=None if hosted is None else hosted.origins,
                hosts=hosts,
                configurable_headers=project.configurable_headers,
                authentication=authentication,
                encryption=server.encryption,
                metrics=server.metrics,
            ),
            partial(
                EdgeMiddleware,
                cors=Cors(project.cors, origins),
                hosts=hosts,
                metrics=server.metrics,
                tracing=server.tracing,
                others=None if hosted is None else hosted.origins,
                request_log=None if logged is None else RequestLog(logged_headers(logged)),
            ),
            *([partial(MountPrefix, prefix=prefix)] if prefix else []),
            *([] if hosted is None else [hosted.middleware(routes, own_assets, origins, check)]),
            partial(RoutingMiddleware, table=routes, flask_prefixes=own_assets, mount_prefix=prefix),
            partial(
                ContractMiddleware,
                document=document,
                body_limits=BodyLimits(body=settings.body_limit, batch=settings.batch_body_limit),
                configurable_headers=project.configurable_headers,
                authentication=authentication,
                encryption=server.encryption,
            ),
            LifespanMiddleware,
            ContextMiddleware,
        ],
        resolver=Resolver({**table.handlers, **table.pages}.__getitem__),
    )
    add_document(app, document)
    viewer = get_swaggerui_blueprint(console.ASSETS_PATH, "/openapi.json")  # type: ignore[no-untyped-call]
    app.app.register_blueprint(viewer)
    return app
