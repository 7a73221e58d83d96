"""The messages of the thread event protocol: commands, their answers, and why one was not carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from runyard.handlers.contract.messages import Messages
from runyard.handlers.http.errors import STATUS
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.errors import Forbidden, Invalid, NotFound, NotSupported, RunyardError

ErrorCode = Literal[
    "invalid_argument",
    "unknown_command",
    "unknown_error",
    "no_such_run",
    "no_such_subscription",
    "no_such_namespace",
    "no_such_interrupt",
    "no_such_checkpoint",
    "permission_denied",
    "not_supported",
]

CommandId = int | float | str | bool | None
"""What an answer is recognised by. Commands have whole numbers; None where it cannot be told."""

COMPONENTS: Final = {
    "run.start": "ProtocolRunStart",
    "input.respond": "ProtocolInputRespond",
    "input.inject": "ProtocolInputInject",
    "agent.getTree": "ProtocolGetTree",
    "state.get": "ProtocolStateGet",
    "state.listCheckpoints": "ProtocolListCheckpoints",
    "state.fork": "ProtocolStateFork",
    "subscription.subscribe": "ProtocolSubscribe",
    "subscription.unsubscribe": "ProtocolUnsubscribe",
    "subscription.reconnect": "ProtocolReconnect",
}
"""What the command of each method has to fit."""

_SHOWN: Final = 100
_LONGEST_MESSAGE: Final = 4_000


class CommandError(Exception):
    """A command that is not carried out: `code` is for programs, `message` for people."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @staticmethod
    def of(error: RunyardError) -> CommandError:
        """What the runtime refused, in this form. Where no other code fits, the message begins with the status that
        HTTP has for it (observed on the official server at POST /threads/{thread_id}/commands)."""
        if isinstance(error, (Forbidden, Refusal)):
            return CommandError("permission_denied", error.detail)
        if isinstance(error, NotSupported):
            return CommandError("not_supported", error.detail)
        status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
        return CommandError("unknown_error", f"{status}: {error.detail}")


class NoThread(NotFound):
    """The thread that commands or subscriptions are for does not exist."""


class NoCommand(Exception):
    """What came is no command. `command_id`: what it has as its id, which is answered as it came (observed on the
    official server at POST /threads/{thread_id}/commands)."""

    def __init__(self, message: str, command_id: CommandId = None) -> None:
        super().__init__(message)
        self.message = message
        self.command_id = command_id


@dataclass(frozen=True, slots=True)
class Command:
    """A command that fits its component."""

    command_id: int
    method: str
    params: Mapping[str, Any]


async def read_command(messages: Messages, raw: bytes) -> Command:
    """The command in a body or a frame; whether it fits its method is for `check_command`. Raises NoCommand."""
    try:
        value = await messages.read(raw)
    except Invalid as error:
        raise NoCommand(error.detail) from None
    try:
        messages.check("ProtocolAnyCommand", value, "command")
    except Invalid as error:
        raise NoCommand(error.detail, _given_id(value)) from None
    return Command(int(value["id"]), value["method"], value.get("params", {}))


def check_command(messages: Messages, command: Command) -> None:
    """Raises CommandError for a method that is not known, and for parameters that it does not take."""
    component = COMPONENTS.get(command.method)
    if component is None:
        raise CommandError("unknown_command", f"Unknown protocol command: {command.method[:_SHOWN]}")
    value = {"id": command.command_id, "method": command.method, "params": command.params}
    try:
        messages.check(component, value, "command")
    except Invalid as error:
        raise CommandError("invalid_argument", error.detail) from None


def success(command: Command, result: Mapping[str, Any], seq: int) -> dict[str, Any]:
    """The answer to a command that was carried out. `seq`: the number of the thread's last event before."""
    return {
        "type": "success",
        "id": command.command_id,
        "result": result,
        "meta": {"applied_through_seq": seq},
    }


def failure(command_id: CommandId, error: CommandError | NoCommand) -> dict[str, Any]:
    """The answer to a command that was not, and to what is none."""
    code = error.code if isinstance(error, CommandError) else "invalid_argument"
    message = error.message
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[:_LONGEST_MESSAGE]}..."
    return {"type": "error", "id": command_id, "error": code, "message": message}


def _given_id(value: Any) -> CommandId:
    given = value.get("id") if isinstance(value, dict) else None
    if isinstance(given, str):
        return given[:_SHOWN]
    return given if isinstance(given, (int, float)) else None
