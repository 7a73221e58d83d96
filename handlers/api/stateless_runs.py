"""Operations on runs that bring a thread of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from runyard.generated.models import Run, RunBatchCreate, RunCreateStateless, RunCreateStreamingStateless
from runyard.handlers.api.disconnect import cancel_on_disconnect
from runyard.handlers.api.new_runs import NewRunService
from runyard.handlers.api.run_access import cancel_found_run, create_batch, create_run, read_run
from runyard.handlers.api.stream_modes import check_no_checkpoint, modes_of
from runyard.handlers.http.disconnect import OnDisconnect
from runyard.handlers.http.event_stream import EventStream, EventSubscription
from runyard.handlers.http.json_wait import JsonWait
from runyard.handlers.http.responses import Response, json_response, location
from runyard.runtime.auth.principal import Principal
from runyard.runtime.scope import Scope
from runyard.runtime.services.batches import NO_OPTIONS, AcceptedBatch, BatchOptions
from runyard.runtime.services.idempotency import IdempotentRequest
from runyard.runtime.services.new_runs import NO_HEADERS, Headers

if TYPE_CHECKING:
    from collections.abc import Sequence


class StatelessRunService(NewRunService, Protocol):
    """What the operations need of the service."""

    async def create_batch(
        self,
        scope: Scope,
        requests: Sequence[RunCreateStateless],
        *,
        options: BatchOptions = NO_OPTIONS,
        headers: Headers = NO_HEADERS,
        request_id: str | None = None,
        once: IdempotentRequest | None = None,
    ) -> AcceptedBatch:
        """Accepts all runs, in order, or none. Raises what `create` raises, and names the item or the header."""

    async def thread_of(self, run_id: str) -> str | None:
        """The thread of a run, whoever's they are: for those who have to decide about it. None: there is no such
        run."""

    async def find(self, scope: Scope, run_id: str) -> Run:
        """A run by its own id. Raises NotFound."""

    async def follow_run(
        self,
        scope: Scope,
        run_id: str,
        *,
        last_event_id: str | None,
        modes: Sequence[str] | None,
        namespace: str | None,
    ) -> EventSubscription:
        """The events of a run, from now on or from behind `last_event_id` ("-1": from the first); of all modes, or
        of some; of all of it, or of one subgraph's namespace. Raises NotFound."""


class StatelessRunHandlers:
    """The operations with the tag Stateless Runs."""

    def __init__(self, runs: StatelessRunService) -> None:
        self.runs = runs

    async def create(
        self,
        principal: Principal,
        body: RunCreateStateless,
        configurable_headers: Headers,
        x_request_id: str | None,
        once: IdempotentRequest | None,
    ) -> Response:
        """POST /runs"""
        scope, request = await create_run(principal, body)
        run = await self.runs.create(scope, request, headers=configurable_headers, request_id=x_request_id, once=once)
        return json_response(run, headers=[location(b"content-location", f"/runs/{run.run_id}")])

    async def create_batch(
        self,
        principal: Principal,
        body: RunBatchCreate,
        configurable_headers: Headers,
        x_request_id: str | None,
        once: IdempotentRequest | None,
        x_batch_name: str | None,
        x_batch_metadata: dict[str, Any] | None,
        x_batch_webhook: str | None,
        x_batch_max_concurrency: int | None,
        x_batch_start_within: float | None,
        x_batch_finish_within: float | None,
        x_batch_retry: dict[str, Any] | None,
        x_batch_result_ttl: float | None,
    ) -> Response:
        """POST /runs/batch"""
        options = BatchOptions(
            name=x_batch_name,
            metadata=x_batch_metadata,
            webhook=x_batch_webhook,
            max_concurrency=x_batch_max_concurrency,
            start_within=x_batch_start_within,
            finish_within=x_batch_finish_within,
            retry=x_batch_retry,
            result_ttl=x_batch_result_ttl,
        )
        scope, requests, options = await create_batch(principal, body, options)
        accepted = await self.runs.create_batch(
            scope, requests, options=options, headers=configurable_headers, request_id=x_request_id, once=once
        )
        return json_response(accepted.runs, headers=[(b"x-batch-id", accepted.batch_id.encode())])

    async def wait(
        self,
        principal: Principal,
        body: RunCreateStreamingStateless,
        configurable_headers: Headers,
        x_request_id: str | None,
        once: IdempotentRequest | None,
    ) -> Response:
        """POST /runs/wait"""
        scope, request = await create_run(principal, body)
        run, waiter = await self.runs.wait(
            scope, request, headers=configurable_headers, request_id=x_request_id, once=once
        )
        path = f"/threads/{run.thread_id}/runs/{run.run_id}"
        headers = [location(b"location", f"{path}/join"), location(b"content-location", path)]
        on_disconnect = cancel_on_disconnect(self.runs, scope, run) if body.on_disconnect == "cancel" else None
        return JsonWait(waiter, headers, on_disconnect)

    async def stream(
        self,
        principal: Principal,
        body: RunCreateStreamingStateless,
        configurable_headers: Headers,
        x_request_id: str | None,
        once: IdempotentRequest | None,
    ) -> Response:
        """POST /runs/stream"""
        scope, request = await create_run(principal, body)
        run, subscription = await self.runs.stream(
            scope, request, headers=configurable_headers, request_id=x_request_id, once=once
        )
        path = f"/runs/{run.run_id}"
        headers = [location(b"location", f"{path}/stream"), location(b"content-location", path)]
        on_disconnect = cancel_on_disconnect(self.runs, scope, run) if body.on_disconnect == "cancel" else None
        return EventStream(subscription, headers, on_disconnect)

    async def find(self, principal: Principal, run_id: str) -> Response:
        """GET /runs/{run_id}"""
        return json_response(await self.runs.find(await self._read_run(principal, run_id), run_id))

    async def follow(
        self,
        principal: Principal,
        run_id: str,
        last_event_id: str | None,
        stream_mode: list[str] | None,
        cancel_on_disconnect: bool,
        namespace: str | None,
        checkpoint_id: str | None,
    ) -> Response:
        """GET /runs/{run_id}/stream"""
        check_no_checkpoint(checkpoint_id)
        scope = await self._read_run(principal, run_id)
        on_disconnect = await self._cancel_on_disconnect(principal, run_id) if cancel_on_disconnect else None
        subscription = await self.runs.follow_run(
            scope, run_id, last_event_id=last_event_id, modes=modes_of(stream_mode), namespace=namespace
        )
        path = f"/runs/{run_id}"
        headers = [location(b"location", f"{path}/stream"), location(b"content-location", path)]
        return EventStream(subscription, headers, on_disconnect)

    async def _read_run(self, principal: Principal, run_id: str) -> Scope:
        return await read_run(principal, self.runs.thread_of, run_id)

    async def _cancel_on_disconnect(self, principal: Principal, run_id: str) -> OnDisconnect:
        scope = await cancel_found_run(principal, self.runs.thread_of, run_id)
        return cancel_on_disconnect(self.runs, scope, await self.runs.find(scope, run_id))
