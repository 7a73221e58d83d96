"""What the operations that make runs need of the runtime, with a thread of their own or on one that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runyard.generated.models import Run
from runyard.handlers.api.disconnect import AbandonService
from runyard.runtime.scope import Scope
from runyard.runtime.services.idempotency import IdempotentRequest
from runyard.runtime.services.new_runs import NO_HEADERS, Headers, RunCreate

if TYPE_CHECKING:
    from runyard.handlers.http.event_stream import EventSubscription
    from runyard.handlers.http.json_wait import ResultWaiter


class NewRunService(AbandonService, Protocol):
    """Where runs are made."""

    async def create(
        self,
        scope: Scope,
        request: RunCreate,
        *,
        thread_id: str | None = None,
        headers: Headers = NO_HEADERS,
        request_id: str | None = None,
        once: IdempotentRequest | None = None,
    ) -> Run:
        """Accepts a run, with a thread of its own where `thread_id` is None; `request_id` names the request to the
        graph's code. With `once`, a request that was carried out before gets what it got then. Raises NotFound for an
        unknown assistant or thread, and Invalid, BadRequest, Conflict for what the request, or the thread's other runs,
        contradict."""

    async def wait(
        self,
        scope: Scope,
        request: RunCreate,
        *,
        thread_id: str | None = None,
        headers: Headers = NO_HEADERS,
        request_id: str | None = None,
        once: IdempotentRequest | None = None,
    ) -> tuple[Run, ResultWaiter]:
        """As `create`; also waits for the run's result."""

    async def stream(
        self,
        scope: Scope,
        request: RunCreate,
        *,
        thread_id: str | None = None,
        headers: Headers = NO_HEADERS,
        request_id: str | None = None,
        once: IdempotentRequest | None = None,
    ) -> tuple[Run, EventSubscription]:
        """As `create`; also follows the run's events, from the first."""
