"""From the project to the handlers that encrypt what is stored."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from runyard.runtime.auth.principal import Principal
from runyard.runtime.auth.user import User
from runyard.runtime.config.project import Project
from runyard.runtime.encryption.handler_loop import HandlerLoop
from runyard.runtime.encryption.handlers import Handlers
from runyard.runtime.errors import EncryptionFailed, Invalid
from runyard.runtime.graphs.loading import forget_modules, load_object, prepare_process
from runyard.runtime.graphs.script_thread import like_a_main_thread

HEADER: Final = "X-Encryption-Context"
LARGEST_CONTEXT: Final = 4096
"""Bytes of a context as JSON: each value that is encrypted in it has it beside it."""
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
        given = {} if header is None else _read(header)
        user = principal.user
        if user is None:
            user = User(_NOBODY if principal.identity is None else _named(principal.identity))
        context = await self._loop.run(self._handlers.context(user, given))
        _check(context)
        return replace(principal, scope=replace(principal.scope, encryption=context))


def _named(identity: str) -> dict[str, Any]:
    return {**_NOBODY, "identity": identity, "display_name": identity, "is_authenticated": True}


def _read(header: str) -> dict[str, Any]:
    try:
        context = orjson.loads(base64.b64decode(header, validate=True))
    except (binascii.Error, ValueError):
        context = None
    if not isinstance(context, dict):
        raise Invalid(f"{HEADER}: must be a JSON object in base64")
    if len(header) > LARGEST_CONTEXT * 4 // 3 + 4:
        raise Invalid(f"{HEADER}: has more than {LARGEST_CONTEXT:,} bytes, which are stored with each value")
    return context


def _check(context: Mapping[str, Any]) -> None:
    try:
        size = len(orjson.dumps({**context}))
    except TypeError:
        raise EncryptionFailed("encryption: @encryption.context gave what is no JSON") from None
    if size > LARGEST_CONTEXT:
        raise EncryptionFailed(
            f"encryption: @encryption.context gave {size:,} bytes as JSON; at most {LARGEST_CONTEXT:,} are stored with "
            "each value"
        )
