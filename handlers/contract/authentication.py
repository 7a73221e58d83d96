"""Has a request authenticated, before anything else of it is looked at."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import Request

from runyard.handlers.contract.bodies import Body, in_pool_if_large
from runyard.handlers.contract.json_body import parse_json
from runyard.handlers.http.errors import HttpError
from runyard.handlers.http.scope import CALLER, TEMPLATE, Header, Message, Receive, Scope
from runyard.handlers.http.sign_in_cookie import counting_tokens, is_of_own_page, read_tokens
from runyard.runtime.auth.custom import HandlerFailed
from runyard.runtime.auth.inner_requests import Caller
from runyard.runtime.auth.log_lines import one_line
from runyard.runtime.auth.principal import Principal
from runyard.runtime.auth.redaction import redacted
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.auth.requests import Authenticator, IncomingRequest
from runyard.runtime.errors import BadRequest, Forbidden, Unavailable
from runyard.runtime.services.sign_ins import SignIns

logger = logging.getLogger(__name__)

_ONCE = frozenset((b"authorization", b"x-api-key", b"x-auth-scheme"))
"""Headers of which a request has one: of several, a handler and what stands in front of the server may take different
ones."""


class ReceivedBody:
    """The body of one request, received once, whoever asks first: authentication, or the operation."""

    def __init__(self, contract: Body | None, scope: Scope, receive: Receive) -> None:
        """`contract`: None where the operation takes no body; then there is none."""
        self._contract = contract
        self._scope = scope
        self._receive = receive
        self._raw: bytes | None = None
        self.error: Exception | None = None
        """Why it could not be received or read, for whoever asked first may hide that."""

    @property
    def was_read(self) -> bool:
        """Whether the body was received, so that nobody else can receive it any more."""
        return self._raw is not None

    async def raw(self) -> bytes:
        """Its bytes. Raises what `Body.receive` raises."""
        if self._raw is None:
            try:
                self._raw = b"" if self._contract is None else await self._contract.receive(self._scope, self._receive)
            except Exception as error:
                self.error = error
                raise
        return self._raw

    async def json(self) -> Any:
        """Its value; None where there is none. Raises Invalid too."""
        raw = await self.raw()
        try:
            return await in_pool_if_large(parse_json, raw) if raw else None
        except Exception as error:
            self.error = error
            raise

    async def as_message(self) -> Message:
        """All of it as the only message of a request."""
        return {"type": "http.request", "body": await self.raw(), "more_body": False}


class Authentication:
    """Asks an authenticator who makes a request; the cookie of a browser that has signed in counts as what it signed in
    with."""

    def __init__(self, authenticator: Authenticator, sign_ins: SignIns) -> None:
        self._authenticator = authenticator
        self._sign_ins = sign_ins

    async def authenticate(self, scope: Scope, body: ReceivedBody) -> Principal:
        """Who makes the request. Raises `Refusal`, Unavailable, `HttpError`, and what came in the way of its body.
        Whoever is not let in is in the log, without their credentials. What a run of this server asks, its user asks:
        nobody has to say that again."""
        caller: Caller | None = scope.get(CALLER)
        if caller is not None and not caller.strange:
            return self._authenticator.known(caller)
        return await self._ask(scope, body, await self._held(scope))

    async def sign_in(self, scope: Scope, credential: str) -> str:
        """Begins a sign-in of whoever the credential, printable ASCII, belongs to, and gives the value of its cookie.
        Raises as `authenticate` does, and Forbidden when a page of another origin asks."""
        if not is_of_own_page(scope):
            raise Forbidden("Only the server's own page may sign in")
        held = _headers(credential)
        other = [(name, value) for name, value in scope["headers"] if name not in dict(held)]
        await self._ask({**scope, "headers": other}, ReceivedBody(None, scope, no_body), held)
        return await self._sign_ins.begin(credential)

    async def sign_out(self, scope: Scope) -> None:
        """Ends the sign-in of the request. Raises Unavailable."""
        for token in read_tokens(scope):
            await self._sign_ins.end(token)

    async def _held(self, scope: Scope) -> Sequence[Header]:
        """The headers that the cookie of a request stands for."""
        for token in counting_tokens(scope):
            credential = await self._sign_ins.credential(token)
            if credential is not None:
                return _headers(credential)
        return ()

    async def _ask(self, scope: Scope, body: ReceivedBody, held: Sequence[Header]) -> Principal:
        named = [name for name, _ in scope["headers"] if name in _ONCE]
        if len(named) > len({*named}):
            raise BadRequest(f"{max(named, key=named.count).decode()}: this header may be sent once only")
        if held:
            scope = {**scope, "headers": [*scope["headers"], *held]}
        request = IncomingRequest(scope, body.json, lambda: Request(scope, body.as_message))
        try:
            return await self._authenticator.authenticate(request)
        except Exception as error:
            if body.error is not None:
                raise body.error from None
            asked = f"{scope['method']} {scope[TEMPLATE]} from {(scope.get('client') or ['unknown'])[0]}"
            if isinstance(error, Refusal):
                logger.warning("denied: %s: %d %s", asked, error.status, one_line(redacted(error.detail, request)))
            elif isinstance(error, Unavailable):
                logger.warning("denied: %s: 503 %s", asked, error.detail)
            elif isinstance(error, HandlerFailed):
                text = "".join(traceback.format_exception(error.__cause__ or error))
                logger.error("denied: %s: %s: %s", asked, error, redacted(text, request))
                # Not with its cause, whose text may have credentials in it.
                raise HttpError(500, "Internal Server Error") from None
            raise


def _headers(credential: str) -> Sequence[Header]:
    """Whichever of both the server looks at. What has a scheme already, such as "Basic ...", is taken as it is."""
    authorization = credential if " " in credential else f"Bearer {credential}"
    return ((b"authorization", authorization.encode()), (b"x-api-key", credential.encode()))


async def no_body() -> Message:
    """What a request without a body receives."""
    return {"type": "http.request", "body": b"", "more_body": False}


def asks_for_page(scope: Scope) -> bool:
    """Whether a person waits for the answer: their browser asks for HTML."""
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


def to_sign_in(scope: Scope) -> HttpError:
    """The answer to a browser whose user has to sign in first. Relative, for servers that a proxy puts below a path."""
    path: str = scope["path"][len(scope.get("root_path", "")) :]
    up = "../" * (path.count("/") - 1)
    target = f"{up}sign-in?next={quote(path.lstrip('/'), safe='/')}"
    return HttpError(303, "Sign in first", [(b"location", target.encode("ascii"))])
