"""From the project to the handlers that encrypt what is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from runyard.runtime.auth.principal import Principal
from runyard.runtime.auth.user import User
from runyard.runtime.config.project import Project
from runyard.runtime.encryption.context import HEADER, check_context, read_context
from runyard.runtime.encryption.handler_loop import HandlerLoop
from runyard.runtime.encryption.handlers import Handlers
from runyard.runtime.graphs.loading import forget_modules, load_object, prepare_process
from runyard.runtime.graphs.script_thread import like_a_main_thread

__all__ = ["HEADER", "RequestContexts", "load_encryption", "reload_encryption"]

_NOBODY: Final = {"identity": "", "display_name": "", "is_authenticated": False, "permissions": []}


def load_encryption(project: Project, *, timeout: float) -> Handlers | None:
    """By the project's own code, each call of which gets `timeout` seconds; None where it names none.

    The code is imported, so call it where no event loop runs. Raises ConfigError.
    """
    if project.encryption is None:
        return None
    place = f"{project.path}: encryption ({project.encryption})"
    prepare_process(project)
    return Handlers(load_object(project, project.encryption, place), place, timeout=timeout)


def reload_encryption(project: Project, *, timeout: float) -> Handlers | None:
    """As `load_encryption`, with the code as it is by now; also where an event loop runs in another thread."""
    forget_modules(project)
    with like_a_main_thread():
        return load_encryption(project, timeout=timeout)


class RequestContexts:
    """The contexts of requests: what the header says, as the project's `@encryption.context` changes it."""

    def __init__(self, handlers: Handlers, loop: HandlerLoop) -> None:
        self._handlers = handlers
        self._loop = loop

    async def of(self, principal: Principal, header: str | None) -> Principal:
        """The principal, with the context of the request in its scope. Raises Invalid, and EncryptionFailed where the
        project's code fails."""
        given = {} if header is None else read_context(header)
        user = principal.user
        if user is None:
            user = User(_NOBODY if principal.identity is None else _named(principal.identity))
        context = await self._loop.run(self._handlers.context(user, given))
        check_context(context)
        return replace(principal, scope=replace(principal.scope, encryption=context))


def _named(identity: str) -> dict[str, Any]:
    return {**_NOBODY, "identity": identity, "display_name": identity, "is_authenticated": True}
