"""The thread event protocol over a WebSocket: commands come in; their answers and the thread's events go out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import orjson

from runyard.handlers.api.thread_access import read_thread
from runyard.handlers.contract.messages import Messages
from runyard.handlers.contract.websockets import Connection
from runyard.handlers.http.disconnect import OnDisconnect
from runyard.handlers.http.errors import HttpError
from runyard.handlers.http.responses import KEEP_ALIVE
from runyard.handlers.http.websocket import RESTART, Disconnected
from runyard.handlers.protocols.thread_events.callers import Caller
from runyard.handlers.protocols.thread_events.commands import OF_SUBSCRIPTIONS, Commands
from runyard.handlers.protocols.thread_events.filters import asked_by, event_filter, new_subscription_id
from runyard.handlers.protocols.thread_events.frames import Frames
from runyard.handlers.protocols.thread_events.messages import (
    Command,
    CommandError,
    CommandId,
    NoCommand,
    NoThread,
    check_command,
    failure,
    read_command,
    success,
)
from runyard.handlers.protocols.thread_events.services import EventSubscription, ProtocolServices, ThreadEventService
from runyard.runtime.errors import Invalid, NotFound, RunyardError
from runyard.runtime.scope import Scope
from runyard.runtime.services.thread_events import EventFilter

logger = logging.getLogger(__name__)

SUBSCRIBE: Final = "subscription.subscribe"
MOST_SUBSCRIPTIONS: Final = 100
"""Subscriptions of one connection."""
TOGETHER: Final = 0.02
"""Seconds for which the first subscription of a connection waits for others. A client that comes back asks for all that
it had, each by a frame, and leaves a run once it hears of its end: of several subscriptions, too, the past is to come
in its order."""
_TOO_MANY: Final = CommandError("invalid_argument", f"A connection has at most {MOST_SUBSCRIPTIONS} subscriptions")
_NAMED: Final = EventFilter(channels=frozenset(("lifecycle", "input")))
"""The events whose ids are not their numbers."""


class ThreadSockets:
    """Serves the WebSockets of threads."""

    def __init__(self, services: ProtocolServices, document: Mapping[str, Any]) -> None:
        self._commands = Commands(services)
        self._messages = Messages(document)
        self._events = services.events

    async def __call__(self, connection: Connection) -> None:
        """See `WebSocketEndpoint`. The thread need not exist: `run.start` creates it."""
        await ThreadSocket(connection, self._commands, self._messages, self._events).serve()


class ThreadSocket:
    """One WebSocket.

    Commands are carried out one after the other, but subscriptions that come together at once. They bring the events
    that are kept, then their answers, then those to come; what several subscriptions ask for comes once from then on.
    No event is queued here: what a client does not read stays in the thread's log.
    """

    def __init__(
        self, connection: Connection, commands: Commands, messages: Messages, events: ThreadEventService
    ) -> None:
        self._connection = connection
        self._socket = connection.socket
        self._thread_id = connection.thread_id
        self._commands = commands
        self._messages = messages
        self._events = events
        self._filters: dict[str, EventFilter] = {}
        self._live: EventSubscription | None = None
        self._followed = asyncio.Event()
        self._sending = asyncio.Lock()
        self._at_disconnect: list[OnDisconnect] = []
        self._frames = Frames(self._socket)
        self._postponed: Command | None = None

    async def serve(self) -> None:
        """Returns, or raises Disconnected, when the connection is closed. Raises RunyardError for what closes it."""
        tasks = [asyncio.create_task(work()) for work in (self._carry_out_all, self._follow)]
        taking_in = asyncio.create_task(self._frames.take_in())
        stopping = False
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except Disconnected as error:
            stopping = error.code == RESTART  # which uvicorn says in the client's place
            raise
        finally:
            for task in (*tasks, taking_in):
                task.cancel()
            await asyncio.wait((*tasks, taking_in))
            for task in tasks:
                if not task.cancelled():
                    task.exception()  # of both, one was raised
            if self._live is not None:
                await self._live.close()
            if not stopping:  # runs that go on after a restart are followed again then
                for leave in self._at_disconnect:
                    await leave()

    async def _carry_out_all(self) -> None:
        while True:
            first = await self._next_command()
            commands = [first]
            while first.method == SUBSCRIBE and (other := await self._one_more(0 if self._filters else TOGETHER)):
                commands.append(other)
            await self._carry_out(commands)

    async def _one_more(self, seconds: float) -> Command | None:
        """Another subscription that is asked for, if one comes so soon."""
        while frame := await self._frames.next_within(seconds):
            command = await self._read(frame)
            if command is not None and command.method != SUBSCRIBE:
                self._postponed = command
                return None
            if command is not None:
                return command
        return None

    async def _next_command(self) -> Command:
        command, self._postponed = self._postponed, None
        while command is None:
            command = await self._read(await self._frames.next())
        return command

    async def _read(self, frame: str | bytes) -> Command | None:
        """The command in a frame; None: there is none that could be carried out, which is answered."""
        command_id: CommandId = None
        try:
            if isinstance(frame, bytes):
                raise NoCommand("Protocol commands are text frames; this one is binary")
            command = await read_command(self._messages, frame.encode())
            command_id = command.command_id
            check_command(self._messages, command)
        except NoCommand as error:
            await self._send(failure(error.command_id, error))
        except CommandError as error:
            await self._send(failure(command_id, error))
        else:
            return command
        return None

    async def _carry_out(self, commands: Sequence[Command]) -> None:
        """Answers commands: one, or several subscriptions. Raises Disconnected, and RunyardError where the connection
        is to be closed."""
        method = commands[0].method
        caller = Caller(
            principal=await self._connection.authenticate(),
            thread_id=self._thread_id,
            headers=self._connection.headers,
            request_id=None,
            at_disconnect=self._at_disconnect.append,
        )
        try:
            if method == SUBSCRIBE:
                await self._subscribe(caller, commands)
            elif method.startswith(OF_SUBSCRIPTIONS):
                await self._change(caller, commands[0])
            else:
                await self._send(await self._commands.carry_out(caller, commands[0]))
        except CommandError as error:
            await self._refuse(commands, error)
        except RunyardError as error:
            await self._refuse(commands, CommandError.of(error))
            if isinstance(error, NoThread) and method.startswith(OF_SUBSCRIPTIONS):
                raise  # clients that wait for events, and not for answers, have to learn of it
        except (Disconnected, HttpError):
            raise
        except Exception as error:  # a defect: it is in the log, and must not end what else the connection carries
            logger.error("%s failed", method, exc_info=error)
            await self._refuse(commands, CommandError("unknown_error", "500: Internal Server Error"))

    async def _refuse(self, commands: Sequence[Command], error: CommandError) -> None:
        for command in commands:
            await self._send(failure(command.command_id, error))

    # Subscriptions

    async def _subscribe(self, caller: Caller, commands: Sequence[Command]) -> None:
        scope, seq = await self._look(caller)
        room = max(0, MOST_SUBSCRIPTIONS - len(self._filters))
        named = {new_subscription_id(command.params): command for command in commands[:room]}
        sent = await self._add(scope, {name: event_filter(each.params) for name, each in named.items()}, seq)
        for name, command in named.items():
            await self._send(success(command, {"subscription_id": name, "replayed_events": sent}, seq))
            sent = 0
        await self._refuse(commands[room:], _TOO_MANY)

    async def _look(self, caller: Caller) -> tuple[Scope, int]:
        """What of the thread the caller sees, and the number of its last event. Raises NoThread."""
        scope = await read_thread(caller.principal, self._thread_id)
        try:
            return scope, await self._events.last_seq(scope, self._thread_id)
        except NotFound as error:
            raise NoThread(error.detail) from None

    async def _change(self, caller: Caller, command: Command) -> None:
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
        await self._send(success(command, result, seq))

    async def _add(self, scope: Scope, new: Mapping[str, EventFilter], seq: int) -> int:
        """Sends the events up to a number that the new filters want, each once, and follows what comes behind it. How
        many they were."""
        if len({*self._filters, *new}) > MOST_SUBSCRIPTIONS:
            raise _TOO_MANY
        # What is live waits meanwhile, so that numbers do not go back but where the past is sent.
        async with self._sending:
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
                    await self._socket.send(event.frame.decode())
                    sent += 1
        finally:
            await kept.close()
        return sent

    async def _reconnect(self, scope: Scope, params: Mapping[str, Any], seq: int) -> dict[str, Any]:
        since = await self._seq_of(scope, params["last_event_id"]) if "last_event_id" in params else 0
        statuses = await self._commands.states.statuses(scope, self._thread_id, params["run_id"])
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

    # What goes out

    async def _follow(self) -> None:
        await self._followed.wait()
        assert self._live is not None
        while (events := await self._live.next(KEEP_ALIVE)) is not None:
            async with self._sending:
                for event in events:
                    await self._socket.send(event.frame.decode())
        raise NotFound(f"Thread with ID {self._thread_id} not found")

    async def _send(self, message: Mapping[str, Any]) -> None:
        async with self._sending:
            await self._socket.send(orjson.dumps(message).decode())
