"""Authentication by the handler of a project's own `Auth` object (`auth.path` of langgraph.json).

Async handlers run on the event loop that called; plain functions in a pool of their own, so that neither waits for the
graphs.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from runyard.runtime.auth.cancellation import is_cancelled
from runyard.runtime.auth.inner_requests import Caller
from runyard.runtime.auth.kept_users import KeptUsers
from runyard.runtime.auth.principal import ANONYMOUS, Principal, principal_of
from runyard.runtime.auth.refusal import Refusal, refusal_of
from runyard.runtime.auth.requests import IncomingRequest
from runyard.runtime.auth.rules import Rules
from runyard.runtime.auth.user import NoUser, User, read_user, stored_user
from runyard.runtime.errors import ConfigError, Unavailable

logger = logging.getLogger(__name__)

PARAMETERS: Final = (
    *("request", "headers", "authorization", "path", "method"),
    *("body", "path_params", "query_params", "scope"),
)
"""What an authentication handler may ask for, by the names of its parameters."""

_THREADS: Final = 16
"""Handlers that are plain functions: so many at once; others wait for their turn."""


_STUDIO: Final = (
    "Only LangSmith can verify the credentials of Studio, and this server does not ask it; with"
    " auth.disable_studio_auth in langgraph.json the project's own handler decides"
)


class HandlerFailed(Exception):
    """A handler raised what is no refusal, or gave what is no user: a mistake in it."""


class CustomAuthentication:
    """Calls the handler that `@auth.authenticate` has registered, once for each request that is not known."""

    def __init__(
        self, auth: Any, place: str, *, timeout: float, refuse_studio: bool = True, kept: KeptUsers | None = None
    ) -> None:
        """`auth`: the `langgraph_sdk.Auth` object. `place` names it in errors. `timeout`: seconds for the handler.
        `refuse_studio`: whether Studio's own credentials, which only LangSmith can verify, are refused. `kept`: whom
        the handler need not be asked about again.

        Raises ConfigError when it is none, has no handler, or the handler asks for what there is not.
        """
        handler = getattr(auth, "_authenticate_handler", None)
        if not hasattr(auth, "_authenticate_handler"):
            raise ConfigError(f"{place} is of type {type(auth).__name__}; it must be an Auth of langgraph_sdk")
        if not callable(handler):
            raise ConfigError(f"{place} has no handler that says who asks; register one with @auth.authenticate")
        self._rules = Rules(auth, timeout=timeout)
        if uncovered := self._rules.uncovered():
            logger.warning(
                "%s decides about some actions only; whoever is authenticated may do the others: %s. A handler for "
                "everything (@auth.on) decides about those too",
                place,
                ", ".join(uncovered),
            )
        self._handler = handler
        self._names = _wanted(handler, place)
        self._timeout = timeout
        self._refuse_studio = refuse_studio
        self._kept = kept
        is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)
        self._pool = None if is_async else ThreadPoolExecutor(_THREADS, "auth")

    def become(self, other: CustomAuthentication) -> None:
        """Asks the handlers of `other` from now on: the project's code has changed."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
        vars(self).update(vars(other))

    async def authenticate(self, request: IncomingRequest) -> Principal:
        """See `Authenticator`. Raises `HandlerFailed` for mistakes of the handler."""
        if self._refuse_studio and (request.header(b"x-auth-scheme") or "").lower().startswith("langsmith"):
            raise Refusal(401, _STUDIO)
        key = None if self._kept is None else self._kept.key_of(request)
        if self._kept is not None and key is not None and (user := self._kept.get(key)) is not None:
            return principal_of(user, self._rules)
        user = await self._ask(request)
        if self._kept is not None and key is not None:
            self._kept.keep(key, user)
        return principal_of(user, self._rules)

    async def _ask(self, request: IncomingRequest) -> User:
        # The body comes as slowly as the client sends it, which is not the handler's time.
        arguments = {
            name: await request.read_json() if name == "body" else request.argument(name) for name in self._names
        }
        try:
            async with asyncio.timeout(self._timeout) as limit:
                given = await self._call(arguments)
        except BaseException as error:  # user code may raise anything, SystemExit and KeyboardInterrupt too
            if isinstance(error, TimeoutError) and limit.expired():
                raise Unavailable(f"authentication took longer than {self._timeout:g} s; try again later") from None
            if is_cancelled(error):
                raise
            if (refusal := refusal_of(error)) is not None:
                raise refusal from None
            raise HandlerFailed("the authentication handler raised an error") from error
        try:
            user = read_user(given)
        except NoUser as error:
            raise HandlerFailed(f"what the authentication handler gave is no user: {error}") from None
        except BaseException as error:  # what it gave is user code too
            raise HandlerFailed("what the authentication handler gave cannot be read") from error
        if not user.is_authenticated:
            raise Refusal(401, "Unauthorized")
        return user

    def known(self, caller: Caller) -> Principal:
        """See `Authenticator`."""
        user = stored_user(caller.user)
        if user is None:
            if caller.identity is None:
                return ANONYMOUS
            user = read_user(caller.identity)  # of a run from before the project had an `auth`
        return principal_of(user, self._rules)

    async def _call(self, arguments: dict[str, Any]) -> Any:
        if self._pool is None:
            given = self._handler(**arguments)
        else:
            call = asyncio.get_running_loop().run_in_executor(self._pool, _called, self._handler, arguments)
            given, error = await call
            if error is not None:
                raise error
        return await given if inspect.isawaitable(given) else given


def _called(handler: Callable[..., Any], arguments: dict[str, Any]) -> tuple[Any, BaseException | None]:
    """What the handler gives, or raises: a future takes no StopIteration, and SystemExit would end its thread."""
    try:
        return handler(**arguments), None
    except BaseException as error:  # noqa: BLE001 - it is handed on
        return None, error


def _wanted(handler: Callable[..., Any], place: str) -> tuple[str, ...]:
    """The names of what the handler asks for. Raises ConfigError."""
    names = []
    for item in inspect.signature(handler).parameters.values():
        if item.kind in (item.VAR_POSITIONAL, item.VAR_KEYWORD):
            continue
        if item.name in PARAMETERS and item.kind is not item.POSITIONAL_ONLY:
            names.append(item.name)
        elif item.default is item.empty:
            raise ConfigError(
                f"{place}: its authentication handler asks for {item.name!r}; it may ask for {', '.join(PARAMETERS)}"
            )
    return tuple(names)
