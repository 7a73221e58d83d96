"""What the thread event protocol needs of the runtime."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from runyard.generated.models import Run
from runyard.handlers.api.assistants import AssistantService
from runyard.handlers.api.thread_runs import ThreadRunService
from runyard.handlers.api.thread_states import ThreadStateService
from runyard.handlers.api.threads import ThreadService
from runyard.runtime.scope import Scope
from runyard.runtime.services.idempotency import IdempotentRequest
from runyard.runtime.services.new_runs import NO_HEADERS, Headers, RunCreate
from runyard.runtime.services.thread_events import EventFilter, ProtocolEvent


class ProtocolRunService(ThreadRunService, Protocol):
    """Where runs are made that tell of themselves by the protocol."""

    async def create(
        self,
        scope: Scope,
        request: RunCreate,
        *,
        thread_id: str | None = None,
        headers: Headers = NO_HEADERS,
        request_id: str | None = None,
        once: IdempotentRequest | None = None,
        protocol: bool = False,
        first: Callable[[], Awaitable[None]] | None = None,
    ) -> Run:
        """See `NewRunService.create`. `protocol`: the run tells of itself by the protocol. `first` is awaited before
        the run is made, but not where it was made before; what it raises is raised here."""


class EventSubscription(Protocol):
    """The events of a thread that some filters want, in order."""

    async def next(self, timeout: float) -> list[ProtocolEvent] | None:
        """The next events at hand; an empty list after `timeout` seconds of silence; None once the thread was
        deleted, or is out of its reader's scope."""

    def change(self, filters: Sequence[EventFilter]) -> None:
        """Asks for others from now on."""

    async def close(self) -> None:
        """Stops following."""


class ThreadEventService(Protocol):
    """Where the events of threads are followed."""

    async def subscribe(
        self, scope: Scope, thread_id: str, filters: Sequence[EventFilter], since: int | None = None
    ) -> EventSubscription:
        """Follows the events of a thread that any of the filters wants, behind `since`: those that are kept, and those
        to come. Raises NotFound."""

    async def last_seq(self, scope: Scope, thread_id: str) -> int:
        """The highest number that events of the thread have so far. Raises NotFound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolServices:
    """The services behind commands and events."""

    assistants: AssistantService
    threads: ThreadService
    states: ThreadStateService
    runs: ProtocolRunService
    events: ThreadEventService
