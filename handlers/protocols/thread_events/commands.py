"""Carries out commands, wherever they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runyard.handlers.api.thread_access import read_thread
from runyard.handlers.protocols.thread_events.callers import Caller
from runyard.handlers.protocols.thread_events.messages import Command, NoThread, success
from runyard.handlers.protocols.thread_events.runs import RunCommands
from runyard.handlers.protocols.thread_events.services import ProtocolServices
from runyard.handlers.protocols.thread_events.states import StateCommands
from runyard.runtime.errors import NotFound
from runyard.runtime.scope import Scope

OF_SUBSCRIPTIONS: Final = "subscription."
"""How the methods begin that belong to connections."""
START: Final = "run.start"


class Commands:
    """Carries out all commands but those on subscriptions.

    What they ask the project's authorisation handlers: those that look, threads.read; those that start a run,
    threads.create_run and assistants.read, as runs do elsewhere, and threads.read before where they look first.
    """

    def __init__(self, services: ProtocolServices) -> None:
        self._events = services.events
        self._runs = RunCommands(services)
        self.states = StateCommands(services)

    async def carry_out(self, caller: Caller, command: Command) -> dict[str, Any]:
        """The answer to a command that fits its component. Raises CommandError and RunyardError, NoThread above all."""
        # What the command makes happen has higher numbers. A client that follows from there on misses nothing of it.
        if command.method == START:
            try:
                seq = await self._events.last_seq(Scope.everything(), caller.thread_id)
            except NotFound:  # the run makes it
                seq = 0
            return success(command, await self._runs.start(caller, command.params), seq)
        scope = await read_thread(caller.principal, caller.thread_id)
        try:
            seq = await self._events.last_seq(scope, caller.thread_id)
        except NotFound as error:
            raise NoThread(error.detail) from None
        return success(command, await self._result(caller, scope, command.method, command.params), seq)

    async def _result(self, caller: Caller, scope: Scope, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        match method:
            case "input.respond":
                return await self._runs.respond(caller, scope, params)
            case "input.inject":
                return await self._runs.inject(caller, scope, params)
            case "state.fork":
                return await self._runs.fork(caller, scope, params)
            case "state.get":
                return await self.states.get(scope, caller.thread_id, params)
            case "state.listCheckpoints":
                return await self.states.list_checkpoints(scope, caller.thread_id, params)
            case _:
                return await self.states.tree(scope, caller.thread_id, params)
