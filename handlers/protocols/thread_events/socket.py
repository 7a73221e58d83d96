"""The thread event protocol over a WebSocket: commands come in; their answers and the thread's events go out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from runyard.handlers.contract.messages import Messages
from runyard.handlers.contract.websockets import Connection
from runyard.handlers.http.disconnect import OnDisconnect
from runyard.handlers.http.errors import HttpError
from runyard.handlers.http.websocket import RESTART, Disconnected
from runyard.handlers.protocols.thread_events.callers import Caller
from runyard.handlers.protocols.thread_events.commands import OF_SUBSCRIPTIONS, Commands
from runyard.handlers.protocols.thread_events.frames import Frames, Outgoing
from runyard.handlers.protocols.thread_events.messages import (
    Command,
    CommandError,
    CommandId,
    NoCommand,
    NoThread,
    check_command,
    failure,
    read_command,
)
from runyard.handlers.protocols.thread_events.services import ProtocolServices, ThreadEventService
from runyard.handlers.protocols.thread_events.subscriptions import Subscriptions
from runyard.runtime.errors import RunyardError

logger = logging.getLogger(__name__)

SUBSCRIBE: Final = "subscription.subscribe"
TOGETHER: Final = 0.02
"""Seconds for which the first subscription of a connection waits for others. A client that comes back asks for all that
it had, each by a frame, and leaves a run once it hears of its end: of several subscriptions, too, the past is to come
in its order."""


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

    Commands are carried out one after the other, but subscriptions that come together at once.
    """

    def __init__(
        self, connection: Connection, commands: Commands, messages: Messages, events: ThreadEventService
    ) -> None:
        self._connection = connection
        self._thread_id = connection.thread_id
        self._commands = commands
        self._messages = messages
        self._at_disconnect: list[OnDisconnect] = []
        self._frames = Frames(connection.socket)
        self._outgoing = Outgoing(connection.socket)
        self._subscriptions = Subscriptions(connection.thread_id, events, commands.states, messages, self._outgoing)
        self._postponed: Command | None = None

    async def serve(self) -> None:
        """Returns, or raises Disconnected, when the connection is closed. Raises RunyardError for what closes it."""
        tasks = [asyncio.create_task(work()) for work in (self._carry_out_all, self._subscriptions.follow)]
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
            await self._subscriptions.close()
            if not stopping:  # runs that go on after a restart are followed again then
                for leave in self._at_disconnect:
                    await leave()

    async def _carry_out_all(self) -> None:
        while True:
            first = await self._next_command()
            commands = [first]
            while first.method == SUBSCRIBE and (other := await self._one_more(0 if self._subscriptions else TOGETHER)):
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
            await self._outgoing.tell(failure(error.command_id, error))
        except CommandError as error:
            await self._outgoing.tell(failure(command_id, error))
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
                await self._subscriptions.add(caller, commands)
            elif method.startswith(OF_SUBSCRIPTIONS):
                await self._subscriptions.change(caller, commands[0])
            else:
                await self._outgoing.tell(await self._commands.carry_out(caller, commands[0]))
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
            await self._outgoing.tell(failure(command.command_id, error))
