"""Has a request authenticated, before anything else of it is looked at."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from starlette.requests import Request

from runyard.handlers.contract.bodies import BodyContract, in_pool_if_large
from runyard.handlers.contract.json_body import parse_json
from runyard.handlers.http.errors import HttpError
from runyard.handlers.http.scope import TEMPLATE, Message, Receive, Scope
from runyard.runtime.auth.custom import HandlerFailed
from runyard.runtime.auth.principal import Principal
from runyard.runtime.auth.redaction import redacted
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.auth.requests import Authenticator, IncomingRequest

logger = logging.getLogger(__name__)


class ReceivedBody:
    """The body of one request, received once, whoever asks first: authentication, or the operation."""

    def __init__(self, contract: BodyContract | None, scope: Scope, receive: Receive) -> None:
        """`contract`: None where the operation takes no body; then there is none."""
        self._contract = contract
        self._scope = scope
        self._receive = receive
        self._raw: bytes | None = None
        self.error: Exception | None = None
        """Why it could not be received or read, for whoever asked first may hide that."""

    async def raw(self) -> bytes:
        """Its bytes. Raises what `BodyContract.receive` raises."""
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


async def authenticate(authenticator: Authenticator, scope: Scope, body: ReceivedBody) -> Principal:
    """Who makes the request. Raises `Refusal`, Unavailable, `HttpError`, and what came in the way of its body. Whoever
    is not let in is in the log, without their credentials."""
    request = IncomingRequest(scope, body.json, lambda: Request(scope, body.as_message))
    try:
        return await authenticator.authenticate(request)
    except Exception as error:
        if body.error is not None:
            raise body.error from None
        asked = f"{scope['method']} {scope[TEMPLATE]} from {(scope.get('client') or ['unknown'])[0]}"
        if isinstance(error, Refusal):
            logger.warning("denied: %s: %d %s", asked, error.status, redacted(error.detail, request))
        elif isinstance(error, HandlerFailed):
            text = "".join(traceback.format_exception(error.__cause__ or error))
            logger.error("denied: %s: %s: %s", asked, error, redacted(text, request))
            # Not with its cause, whose text may have credentials in it.
            raise HttpError(500, "Internal Server Error") from None
        raise
