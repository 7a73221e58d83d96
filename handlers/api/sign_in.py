"""Signing in and out with a browser."""

from __future__ import annotations

from runyard.generated.models import SignIn
from runyard.handlers.contract.authentication import Authentication
from runyard.handlers.http.responses import BodyResponse, Response
from runyard.handlers.http.scope import Receive, Scope, Send
from runyard.handlers.http.sign_in_cookie import set_cookie
from runyard.runtime.errors import NotFound
from runyard.runtime.services.sign_ins import LIFETIME


class SignInHandlers:
    """The operations on the sign-in of a browser."""

    def __init__(self, authentication: Authentication | None) -> None:
        """None: nobody has to say who they are, and the document has none of these operations."""
        self.authentication = authentication

    async def create(self, body: SignIn) -> Response:
        """POST /sign-in"""
        return _Begin(self._needed(), body.credential)

    async def delete(self) -> Response:
        """DELETE /sign-in"""
        return _End(self._needed())

    def _needed(self) -> Authentication:
        if self.authentication is None:
            raise NotFound("Nobody has to sign in here")
        return self.authentication


class _Begin:
    """Lets a browser in whose user has the credential."""

    def __init__(self, authentication: Authentication, credential: str) -> None:
        self._authentication = authentication
        self._credential = credential

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = await self._authentication.sign_in(scope, self._credential)
        await BodyResponse(204, headers=[set_cookie(scope, token, LIFETIME)])(scope, receive, send)


class _End:
    """Forgets the sign-in, here and in the browser."""

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._authentication.sign_out(scope)
        await BodyResponse(204, headers=[set_cookie(scope, None)])(scope, receive, send)
