"""The thread event protocol over HTTP: one command a request, and streams of server-sent events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runyard.handlers.api.thread_access import read_thread
from runyard.handlers.contract.messages import Messages
from runyard.handlers.http.event_stream import EventStream
from runyard.handlers.http.responses import Response, json_response
from runyard.handlers.protocols.thread_events.callers import Caller
from runyard.handlers.protocols.thread_events.commands import OF_SUBSCRIPTIONS, Commands
from runyard.handlers.protocols.thread_events.filters import event_filter
from runyard.handlers.protocols.thread_events.messages import (
    Command,
    CommandError,
    NoCommand,
    NoThread,
    check_command,
    failure,
    read_command,
)
from runyard.handlers.protocols.thread_events.services import EventSubscription, ProtocolServices
from runyard.runtime.auth.principal import Principal
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.errors import BadRequest, EncryptionFailed, Forbidden, Invalid, RunyardError, Unavailable
from runyard.runtime.services.idempotency import IdempotentRequest
from runyard.runtime.services.new_runs import Headers
from runyard.runtime.streams.events import Event

_FIRST = "-1"
"""As the last event's id: that in front of the first."""


class ThreadEventHandlers:
    """The operations with the tag Thread Events."""

    def __init__(self, services: ProtocolServices, document: Mapping[str, Any]) -> None:
        self._events = services.events
        self._commands = Commands(services)
        self._messages = Messages(document)

    async def command(
        self,
        principal: Principal,
        thread_id: str,
        body: bytes,
        configurable_headers: Headers,
        x_request_id: str | None,
        once: IdempotentRequest | None,
    ) -> Response:
        """POST /threads/{thread_id}/commands"""
        try:
            command = await read_command(self._messages, body)
        except NoCommand as error:
            return json_response(failure(error.command_id, error), 400)
        caller = Caller(
            principal=principal,
            thread_id=thread_id,
            headers=configurable_headers,
            request_id=x_request_id,
            once=once,
        )
        try:
            return json_response(await self._carried_out(caller, command))
        except CommandError as error:
            return json_response(failure(command.command_id, error))

    async def _carried_out(self, caller: Caller, command: Command) -> dict[str, Any]:
        check_command(self._messages, command)
        if command.method.startswith(OF_SUBSCRIPTIONS):
            raise CommandError(
                "not_supported",
                f"{command.method} belongs to WebSockets; over HTTP, POST the channels to"
                " /threads/{thread_id}/stream/events",
            )
        try:
            return await self._commands.carry_out(caller, command)
        except (Forbidden, Refusal, NoThread, Unavailable, EncryptionFailed):
            raise  # answered by the status of the response
        except RunyardError as error:
            raise CommandError.of(error) from None

    async def stream(self, principal: Principal, thread_id: str, body: bytes, last_event_id: str | None) -> Response:
        """POST /threads/{thread_id}/stream/events"""
        try:
            params = await self._messages.read(body)
            self._messages.check("ProtocolEventStreamRequest", params, "body")
        except Invalid as error:
            raise BadRequest(error.detail) from None
        since = params.get("since")
        if since is None and last_event_id is not None and last_event_id != _FIRST:
            if not (last_event_id.isascii() and last_event_id.isdigit()):
                raise BadRequest("header.Last-Event-ID: it is not the id of an event of this stream")
            since = int(last_event_id)
        scope = await read_thread(principal, thread_id)
        subscription = await self._events.subscribe(scope, thread_id, [event_filter(params)], since)
        return EventStream(ServerSent(subscription), [])


class ServerSent:
    """The events of a subscription as server-sent ones."""

    def __init__(self, subscription: EventSubscription) -> None:
        self._subscription = subscription
        self.close = subscription.close

    async def next(self, timeout: float) -> list[Event] | None:
        """As that of the subscription."""
        events = await self._subscription.next(timeout)
        return None if events is None else [Event(each.method, each.frame, str(each.seq)) for each in events]
