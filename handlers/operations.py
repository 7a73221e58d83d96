"""The handlers of all operations, put together. Which method serves which operation is generated from the document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from runyard.generated.handlers import Operations, operations
from runyard.handlers.api.assistants import AssistantHandlers, AssistantService
from runyard.handlers.api.batch_results import BatchResultHandlers, BatchResultService
from runyard.handlers.api.batches import BatchHandlers, BatchService
from runyard.handlers.api.crons import CronHandlers, CronService
from runyard.handlers.api.sign_in import SignInHandlers
from runyard.handlers.api.stateless_runs import StatelessRunHandlers, StatelessRunService
from runyard.handlers.api.store import StoreHandlers, StoreService
from runyard.handlers.api.system import MetricsReader, SystemHandlers, SystemService
from runyard.handlers.api.thread_runs import ThreadRunHandlers
from runyard.handlers.api.thread_states import ThreadStateHandlers, ThreadStateService
from runyard.handlers.api.threads import ThreadHandlers, ThreadService, ThreadStreamService
from runyard.handlers.api.ui import UiHandlers, UiService
from runyard.handlers.console.pages import Pages
from runyard.handlers.contract.websockets import WebSocketEndpoint
from runyard.handlers.protocols.a2a.handlers import A2aHandlers
from runyard.handlers.protocols.mcp.handlers import McpHandlers
from runyard.handlers.protocols.thread_events.handlers import ThreadEventHandlers
from runyard.handlers.protocols.thread_events.services import (
    ProtocolRunService,
    ProtocolServices,
    ThreadEventService,
)
from runyard.handlers.protocols.thread_events.socket import ThreadSockets

if TYPE_CHECKING:
    import flask

    from runyard.handlers.contract.authentication import Authentication
    from runyard.handlers.http.responses import Response
    from runyard.runtime.auth.principal import Principal
    from runyard.runtime.config.settings import Settings


class RunService(ProtocolRunService, StatelessRunService, ThreadStreamService, Protocol):
    """What all operations that concern runs need of the one service."""


class Services(Protocol):
    """What the operations need of the runtime."""

    @property
    def settings(self) -> Settings:
        """How the server was configured."""

    @property
    def system(self) -> SystemService:
        """The server itself."""

    @property
    def metrics(self) -> MetricsReader:
        """What is measured."""

    @property
    def assistants(self) -> AssistantService:
        """Configured graphs."""

    @property
    def threads(self) -> ThreadService:
        """Conversations."""

    @property
    def thread_states(self) -> ThreadStateService:
        """The states of conversations."""

    @property
    def thread_events(self) -> ThreadEventService:
        """The events of conversations."""

    @property
    def runs(self) -> RunService:
        """Runs, with a thread of the client's or of their own."""

    @property
    def store(self) -> StoreService:
        """What outlives runs and threads."""

    @property
    def crons(self) -> CronService:
        """Runs that the server makes by itself."""

    @property
    def batch_results(self) -> BatchResultService:
        """What the items of batches have come to."""

    @property
    def batches(self) -> BatchService:
        """Runs that were accepted together."""

    @property
    def ui(self) -> UiService:
        """Components of front ends."""


def protocol_services(services: Services) -> ProtocolServices:
    """What the thread event protocol needs of the runtime."""
    return ProtocolServices(
        assistants=services.assistants,
        threads=services.threads,
        states=services.thread_states,
        runs=services.runs,
        events=services.thread_events,
    )


def websocket_endpoints(services: Services, document: Mapping[str, Any]) -> Mapping[str, WebSocketEndpoint]:
    """What serves WebSockets, by the ids of the operations that say that their paths take them too."""
    return {"protocol_thread_events_post": ThreadSockets(protocol_services(services), document)}


def operation_table(
    services: Services,
    document: Mapping[str, Any],
    authentication: Authentication | None = None,
    served: Callable[[], bytes] | None = None,
) -> Operations[Principal, Response, flask.Response]:
    """The handler of each operation of the document. mypy holds each one against the signature that it asks for.

    `authentication`: None: nobody has to say who they are. `served` gives the document that clients get, as JSON; None:
    it is `document`.
    """
    encoded = orjson.dumps(document)
    project = services.settings.project
    return operations(
        system=SystemHandlers(services.system, services.metrics, served or (lambda: encoded), project.disabled),
        pages=Pages(
            services.system,
            lambda: services.settings.project.graphs,
            landing="meta" not in project.disabled,
            graphs_are_secret=authentication is not None,
        ),
        sign_in=SignInHandlers(authentication),
        assistants=AssistantHandlers(services.assistants),
        threads=ThreadHandlers(services.threads, services.runs),
        thread_events=ThreadEventHandlers(protocol_services(services), document),
        thread_states=ThreadStateHandlers(services.thread_states),
        thread_runs=ThreadRunHandlers(services.runs),
        stateless_runs=StatelessRunHandlers(services.runs),
        store=StoreHandlers(services.store),
        crons=CronHandlers(services.crons),
        batches=BatchHandlers(services.batches),
        batch_results=BatchResultHandlers(services.batch_results),
        ui=UiHandlers(services.ui, services.assistants),
        a2a=A2aHandlers(services.assistants, services.runs, services.threads, services.system, document),
        mcp=McpHandlers(services.assistants, services.runs, services.system, document),
    )
