"""Operations on runs, seen through their threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from runyard.generated.models import Run, RunCreateStateful, RunCreateStreamingStateful, RunsCancel
from runyard.handlers.api.disconnect import cancel_on_disconnect
from runyard.handlers.api.new_runs import NewRunService
from runyard.handlers.api.own_thread import beside_own_thread
from runyard.handlers.api.run_access import cancel_run, cancel_runs, create_run
from runyard.handlers.api.selection import select_fields
from runyard.handlers.api.stream_modes import check_no_checkpoint, check_whole, modes_of
from runyard.handlers.api.thread_access import delete_thread, list_runs, read_thread
from runyard.handlers.http.disconnect import OnDisconnect
from runyard.handlers.http.event_stream import EventStream, EventSubscription
from runyard.handlers.http.json_wait import JsonWait, ResultWaiter
from runyard.handlers.http.responses import BodyResponse, Response, json_response, location
from runyard.handlers.http.scope import Header
from runyard.runtime.auth.principal import Principal
from runyard.runtime.errors import Invalid, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.services.idempotency import IdempotentRequest
from runyard.runtime.services.new_runs import Headers

CancelAction = Literal["interrupt", "rollback"]
_ACTIONS: dict[str, CancelAction] = {"interrupt": "interrupt", "rollback": "rollback"}


class ThreadRunService(NewRunService, Protocol):
    """What the operations need of the service."""

    async def get(self, scope: Scope, thread_id: str, run_id: str) -> Run:
        """Raises NotFound."""

    async def delete(self, scope: Scope, thread_id: str, run_id: str) -> None:
        """Removes a run; what it has done to the thread stays. Raises NotFound."""

    async def join(self, scope: Scope, thread_id: str, run_id: str) -> ResultWaiter:
        """Waits for a run's result. Raises NotFound for a run of another thread."""

    async def follow(
        self,
        scope: Scope,
        thread_id: str,
        run_id: str,
        *,
        last_event_id: str | None,
        modes: Sequence[str] | None,
        namespace: str | None,
    ) -> EventSubscription:
        """The events of a run, from now on or from behind `last_event_id` ("-1": from the first); of all modes, or
        of some; of all of it, or of one subgraph's namespace. Raises NotFound for a run of another thread."""

    async def cancel(
        self, scope: Scope, thread_id: str, run_id: str, *, action: CancelAction, reason: str | None = None
    ) -> None:
        """Stops a run; returns when it has ended. Raises NotFound when there is nothing to stop."""

    async def cancel_many(self, scope: Scope, request: RunsCancel, *, action: CancelAction) -> None:
        """Stops the named runs, or all that have a status; returns when they have ended. Raises NotFound when there is
        nothing to stop."""

    async def list(self, scope: Scope, thread_id: str, *, limit: int, offset: int, status: str | None) -> list[Run]:
        """The runs of a thread, newest first; none for an unknown status. Raises NotFound."""


class ThreadRunHandlers:
    """The operations with the tag Thread Runs."""

    def __init__(self, runs: ThreadRunService) -> None:
        self.runs = runs

    async def list_runs(
        self,
        principal: Principal,
        thread_id: str,
        limit: int,
        offset: int,
        status: str | None,
        select: Sequence[str] | None,
    ) -> Response:
        """GET /threads/{thread_id}/runs"""
        scope = await list_runs(principal, thread_id, limit=limit, offset=offset)
        runs = await self.runs.list(scope, thread_id, limit=limit, offset=offset, status=status)
        return json_response(select_fields(runs, select))

    async def create(
        self,
        principal: Principal,
        thread_id: str,
        body: RunCreateStateful,
        configurable_headers: Headers,
        x_request_id: str | None,
        once: IdempotentRequest | None,
    ) -> Response:
        """POST /threads/{thread_id}/runs"""
        scope, request = await create_run(principal, body, thread_id)
        run = await self.runs.create(
            scope, request, thread_id=thread_id, headers=configurable_headers, request_id=x_request_id, once=once
        )
        return json_response(run, headers=[location(b"content-location", f"/threads/{thread_id}/runs/{run.run_id}")])

    async def create_and_wait(
        self,
        principal: Principal,
        thread_id: str,
        body: RunCreateStreamingStateful,
        configurable_headers: Headers,
        x_request_id: str | None,
        once: IdempotentRequest | None,
    ) -> Response:
        """POST /threads/{thread_id}/runs/wait"""
        place, awaited = beside_own_thread(thread_id, body)
        scope, request = await create_run(principal, awaited, place)
        run, waiter = await self.runs.wait(
            scope, request, thread_id=place, headers=configurable_headers, request_id=x_request_id, once=once
        )
        on_disconnect = cancel_on_disconnect(self.runs, scope, run) if body.on_disconnect == "cancel" else None
        return JsonWait(waiter, _locations(run.thread_id, run.run_id, "join"), on_disconnect)

    async def create_and_stream(
        self,
        principal: Principal,
        thread_id: str,
        body: RunCreateStreamingStateful,
        configurable_headers: Headers,
        x_request_id: str | None,
        once: IdempotentRequest | None,
    ) -> Response:
        """POST /threads/{thread_id}/runs/stream"""
        place, awaited = beside_own_thread(thread_id, body)
        scope, request = await create_run(principal, awaited, place)
        run, subscription = await self.runs.stream(
            scope, request, thread_id=place, headers=configurable_headers, request_id=x_request_id, once=once
        )
        on_disconnect = cancel_on_disconnect(self.runs, scope, run) if body.on_disconnect == "cancel" else None
        return EventStream(subscription, _locations(run.thread_id, run.run_id, "stream"), on_disconnect)

    async def get(self, principal: Principal, thread_id: str, run_id: str) -> Response:
        """GET /threads/{thread_id}/runs/{run_id}"""
        return json_response(await self.runs.get(await read_thread(principal, thread_id, run_id), thread_id, run_id))

    async def delete(self, principal: Principal, thread_id: str, run_id: str) -> Response:
        """DELETE /threads/{thread_id}/runs/{run_id}"""
        await self.runs.delete(await delete_thread(principal, thread_id, run_id), thread_id, run_id)
        return BodyResponse(204)

    async def join(
        self,
        principal: Principal,
        thread_id: str,
        run_id: str,
        cancel_on_disconnect: bool,
        namespace: str | None,
        checkpoint_id: str | None,
    ) -> Response:
        """GET /threads/{thread_id}/runs/{run_id}/join"""
        check_whole(namespace, checkpoint_id)
        scope = await read_thread(principal, thread_id, run_id)
        on_disconnect = await self._cancel_on_disconnect(principal, thread_id, run_id) if cancel_on_disconnect else None
        waiter = await self.runs.join(scope, thread_id, run_id)
        return JsonWait(waiter, _locations(thread_id, run_id, "join"), on_disconnect)

    async def stream(
        self,
        principal: Principal,
        thread_id: str,
        run_id: str,
        last_event_id: str | None,
        stream_mode: list[str] | None,
        cancel_on_disconnect: bool,
        namespace: str | None,
        checkpoint_id: str | None,
    ) -> Response:
        """GET /threads/{thread_id}/runs/{run_id}/stream"""
        check_no_checkpoint(checkpoint_id)
        scope = await read_thread(principal, thread_id, run_id)
        on_disconnect = await self._cancel_on_disconnect(principal, thread_id, run_id) if cancel_on_disconnect else None
        modes = modes_of(stream_mode)
        subscription = await self.runs.follow(
            scope, thread_id, run_id, last_event_id=last_event_id, modes=modes, namespace=namespace
        )
        return EventStream(subscription, _locations(thread_id, run_id, "stream"), on_disconnect)

    async def _cancel_on_disconnect(self, principal: Principal, thread_id: str, run_id: str) -> OnDisconnect:
        scope = await cancel_run(principal, thread_id, run_id, "interrupt")
        return cancel_on_disconnect(self.runs, scope, await self.runs.get(scope, thread_id, run_id))

    async def cancel(
        self, principal: Principal, thread_id: str, run_id: str, wait: bool, action: str, reason: str | None
    ) -> Response:
        """POST /threads/{thread_id}/runs/{run_id}/cancel"""
        scope = await cancel_run(principal, thread_id, run_id, action)
        if action not in _ACTIONS:
            # Whether there is something to cancel comes first (observed).
            if (await self.runs.get(scope, thread_id, run_id)).status not in ("pending", "running"):
                raise NotFound("No matching runs to cancel.")
            raise Invalid(f'query.action: "{action[:100]}" is not one of "interrupt", "rollback"')
        if reason is not None and action == "rollback":
            raise Invalid("query.reason: a run that is rolled back is removed, and keeps no reason; leave it out")
        await self.runs.cancel(scope, thread_id, run_id, action=_ACTIONS[action], reason=reason)
        if wait:
            return json_response({}, headers=_locations(thread_id, run_id, "join"))
        return BodyResponse(202)

    async def cancel_many(self, principal: Principal, body: RunsCancel, action: CancelAction) -> Response:
        """POST /runs/cancel"""
        await self.runs.cancel_many(await cancel_runs(principal, body, action), body, action=action)
        return BodyResponse(204)


def _locations(thread_id: str, run_id: str, again: str) -> list[Header]:
    """The run, and where to follow it again."""
    path = f"/threads/{thread_id}/runs/{run_id}"
    return [location(b"location", f"{path}/{again}"), location(b"content-location", path)]
