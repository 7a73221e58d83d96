"""The subscriptions of one WebSocket: what they ask for of the past, and what is live."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import orjson

from runyard.handlers.api.thread_access import read_thread
from runyard.handlers.contract.messages import Messages
from runyard.handlers.http.responses import KEEP_ALIVE
from runyard.handlers.protocols.thread_events.callers import Caller
from runyard.handlers.protocols.thread_events.filters import asked_by, event_filter, new_subscription_id
from runyard.handlers.protocols.thread_events.frames import Outgoing
from runyard.handlers.protocols.thread_events.messages import Command, CommandError, NoThread, failure, success
from runyard.handlers.protocols.thread_events.services import EventSubscription, ThreadEventService
from runyard.handlers.protocols.thread_events.states import StateCommands
from runyard.runtime.errors import Invalid, NotFound
from runyard.runtime.scope import Scope
from runyard.runtime.services.thread_events import EventFilter

MOST_SUBSCRIPTIONS: Final = 100
"""Subscriptions of one connection."""
_TOO_MANY: Final = CommandError("invalid_argument", f"A connection has at most {MOST_SUBSCRIPTIONS} subscriptions")
_NAMED: Final = EventFilter(channels=frozenset(("lifecycle", "input")))
"""The events whose ids are not their numbers."""


class Subscriptions:
    """Those of one WebSocket. They bring the events that are kept, then their answers, then those to come; what several
    ask for comes once from then on. No event is queued here: what a client does not read stays in the thread's log."""

    def __init__(
        self, thread_id: str, events: ThreadEventService, states: StateCommands, messages: Messages, outgoing: Outgoing
    ) -> None:
        self._thread_id = thread_id
        self._events = events
        self._states = states
        self._messages = messages
        self._outgoing = outgoing
        self._filters: dict[str, EventFilter] = {}
        self._live: EventSubscription | None = None
        self._followed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._filters)

    async def follow(self) -> None:
        """Sends what is live, from the first subscription on. Raises NotFound once the thread is no more, and
        Disconnected."""
        await self._followed.wait()
        assert self._live is not None
        while (events := await self._live.next(KEEP_ALIVE)) is not None:
            async with self._outgoing.turn:
                for event in events:
                    await self._outgoing.pass_on(event.frame)
        raise NotFound(f"Thread with ID {self._thread_id} not found")

    async def close(self) -> None:
        """Ends what is live."""
        if self._live is not None:
            await self._live.close()

    async def add(self, caller: Caller, commands: Sequence[Command]) -> None:
        """Answers commands that subscribe. Raises CommandError and RunyardError."""
        scope, seq = await self._look(caller)
        room = max(0, MOST_SUBSCRIPTIONS - len(self._filters))
        named = {new_subscription_id(command.params): command for command in commands[:room]}
        sent = await self._add(scope, {name: event_filter(each.params) for name, each in named.items()}, seq)
        for name, command in named.items():
            await self._outgoing.tell(success(command, {"subscription_id": name, "replayed_events": sent}, seq))
            sent = 0
        for refused in commands[room:]:
            await self._outgoing.tell(failure(refused.command_id, _TOO_MANY))

    async def _look(self, caller: Caller) -> tuple[Scope, int]:
        """What of the thread the caller sees, and the number of its last event. Raises NoThread."""
        scope = await read_thread(caller.principal, self._thread_id)
        try:
            return scope, await self._events.last_seq(scope, self._thread_id)
        except NotFound as error:
            raise NoThread(error.detail) from None

    async def change(self, caller: Caller, command: Command) -> None:
        """Answers a command on subscriptions that there are, or were. Raises CommandError and RunyardError."""
        params = command.params
        scope, seq = await self._look(caller)
        match command.method:
            case "subscription.reconnect":
                result = await self._reconnect(scope, params, seq)
            case _:
                if self._filters.pop(params["subscription_id"], None) is None:
                    shown = params["subscription_id"][:100]
                    raise CommandError("no_such_subscription", f"Unknown subscription: {shown}")
                if self._live is not None:
                    self._live.change([*self._filters.values()])
                result = {}
        await self._outgoing.tell(success(command, result, seq))

    async def _add(self, scope: Scope, new: Mapping[str, EventFilter], seq: int) -> int:
        """Sends the events up to a number that the new filters want, each once, and follows what comes behind it. How
        many they were."""
        if len({*self._filters, *new}) > MOST_SUBSCRIPTIONS:
            raise _TOO_MANY
        # What is live waits meanwhile, so that numbers do not go back but where the past is sent.
        async with self._outgoing.turn:
            replayed = await self._replay(scope, [*new.values()], seq)
        self._filters |= {name: replace(each, since=max(each.since, seq)) for name, each in new.items()}
        filters = [*self._filters.values()]
        if self._live is None:
            self._live = await self._events.subscribe(scope, self._thread_id, filters, seq)
            self._followed.set()
        else:
            self._live.change(filters)
        return replayed

    async def _replay(self, scope: Scope, filters: Sequence[EventFilter], upto: int) -> int:
        sent = 0
        since = min((each.since for each in filters), default=0)
        kept = await self._events.subscribe(scope, self._thread_id, filters, since)
        try:
            while events := await kept.next(0):
                for event in events:
                    if event.seq > upto:
                        return sent
                    await self._outgoing.pass_on(event.frame)
                    sent += 1
        finally:
            await kept.close()
        return sent

    async def _reconnect(self, scope: Scope, params: Mapping[str, Any], seq: int) -> dict[str, Any]:
        since = await self._seq_of(scope, params["last_event_id"]) if "last_event_id" in params else 0
        statuses = await self._states.statuses(scope, self._thread_id, params["run_id"])
        names: Sequence[str] = params.get("subscriptions", [*self._filters])
        known = {name: self._asked_by(name) for name in names}
        found = {name: replace(each, since=since) for name, each in known.items() if each is not None}
        await self._add(scope, found, seq)
        return {"restored": len(found) == len(known), "current_namespaces": statuses}

    async def _seq_of(self, scope: Scope, event_id: str) -> int:
        """The number of an event. Raises CommandError for an id that no event has."""
        if event_id.isascii() and event_id.isdigit():
            return int(event_id)
        kept = await self._events.subscribe(scope, self._thread_id, [_NAMED])
        try:
            while events := await kept.next(0):
                for event in events:
                    if orjson.loads(event.frame)["event_id"] == event_id:
                        return event.seq
        finally:
            await kept.close()
        raise CommandError("invalid_argument", "command.params.last_event_id: it is not the id of an event")

    def _asked_by(self, name: str) -> EventFilter | None:
        if name in self._filters:
            return self._filters[name]
        asked = asked_by(name)
        with suppress(Invalid):
            self._messages.check("ProtocolEventStreamRequest", asked, "subscription")
            return event_filter(asked)
        return None
