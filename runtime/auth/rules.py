"""Authorisation by the handlers of a project's `Auth` object (`@auth.on`): what somebody may do, and to which rows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from runyard.runtime.auth.cancellation import is_cancelled
from runyard.runtime.auth.filters import NoFilter, OutOfScope, fill_in, read_filter
from runyard.runtime.auth.log_lines import one_line
from runyard.runtime.auth.refusal import Refusal, refusal_of
from runyard.runtime.auth.user import User
from runyard.runtime.errors import Unavailable
from runyard.runtime.scope import MetadataFilter

logger = logging.getLogger(__name__)

Handler = Callable[..., Awaitable[Any]]
Value = dict[str, Any]

_MAKING: Final = frozenset(("create", "create_run"))
"""Actions that make something, whose metadata must be such that who makes it reaches it."""


_ASKED: Final = {
    "threads": ("create", "read", "update", "delete", "search", "create_run"),
    "assistants": ("create", "read", "update", "delete", "search"),
    "crons": ("create", "read", "update", "delete", "search"),
    "store": ("put", "get", "search", "delete", "list_namespaces"),
}
"""What handlers may be asked for, by resource."""


class Rules:
    """The handlers that are registered with an `Auth` object, and how they are asked."""

    def __init__(self, auth: Any, *, timeout: float) -> None:
        """`auth`: the `langgraph_sdk.Auth`; `timeout`: seconds that a handler gets."""
        self._auth = auth
        self._timeout = timeout
        self._found: dict[tuple[str, str], Handler | None] = {}

    def handler(self, resource: str, action: str) -> Handler | None:
        """The most specific handler: of the action, of the resource, of the action on all resources, of everything."""
        key = (resource, action)
        if key not in self._found:
            registered: dict[tuple[str, str], list[Handler]] = self._auth._handlers
            named = (registered.get(place) for place in (key, (resource, "*"), ("*", action), ("*", "*")))
            found = next(filter(None, named), None) or self._auth._global_handlers
            self._found[key] = found[-1] if found else None
        return self._found[key]

    def uncovered(self) -> list[str]:
        """What no handler is there for, though there are some: everybody who is authenticated may do it."""
        if not self._auth._handlers:
            return []
        return [
            f"{resource}.{action}"
            for resource, actions in _ASKED.items()
            for action in actions
            if self.handler(resource, action) is None
        ]

    async def decide(self, user: User, resource: str, action: str, value: Value) -> MetadataFilter | None:
        """The filter of what is there for the user; None: everything. The handler may change `value`.

        Raises Refusal: 403 when the handler forbids it, what it raises as an HTTPException, and 500, with the cause in
        the log, for everything else that it raises; Unavailable when it takes too long.
        """
        handler = self.handler(resource, action)
        if handler is None:
            return None
        try:
            async with asyncio.timeout(self._timeout) as limit:
                answer = await handler(ctx=self._context(user, resource, action), value=value)
            return _read(answer, action, value)
        except BaseException as error:  # user code may raise anything, SystemExit and KeyboardInterrupt too
            if isinstance(error, TimeoutError) and limit.expired():
                raise Unavailable(f"authorisation took longer than {self._timeout:g} s; try again later") from None
            if is_cancelled(error):
                raise
            refusal = _refusal(error)
            asked = f"{one_line(user.identity)}: {resource}.{action}"
            if refusal is None:
                logger.error("denied: %s: the authorisation handler failed", asked, exc_info=error)
                refusal = Refusal(500, "Internal Server Error")
            else:
                logger.warning("denied: %s: %d %s", asked, refusal.status, one_line(refusal.detail))
            raise refusal from None

    def _context(self, user: User, resource: Any, action: Any) -> Any:
        return self._auth.types.AuthContext(permissions=user.permissions, user=user, resource=resource, action=action)


def _read(answer: Any, action: str, value: Value) -> MetadataFilter | None:
    """What the handler answered. Raises Refusal, `OutOfScope` and `NoFilter`."""
    if answer is None or answer is True:
        return None
    if answer is False:
        raise Refusal(403, "Forbidden")
    if not isinstance(answer, dict):
        raise NoFilter(f"it answers with a {type(answer).__name__}, not with None, a bool or a filter")
    wanted = read_filter(answer)
    if wanted is not None and action in _MAKING:
        value["metadata"] = value.get("metadata") or {}
        fill_in(wanted, value["metadata"])
    return wanted


def _refusal(error: BaseException) -> Refusal | None:
    """The refusal that is meant by what a handler raised, or what is wrong with its answer; None: it failed."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, OutOfScope):
        return Refusal(
            403, f"metadata.{error.key}: what you make would be out of your reach with this value; leave the key out"
        )
    if isinstance(error, AssertionError):  # by which handlers of the documentation refuse
        return Refusal(403, str(error) or "Forbidden")
    return refusal_of(error)
