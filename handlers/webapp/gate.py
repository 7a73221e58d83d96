"""Who makes a request, for the application's routes and its middleware: `request.user`, as Starlette has it."""

from __future__ import annotations

from typing import Any

from starlette.authentication import AuthCredentials, SimpleUser

from runyard.handlers.contract.authentication import Authentication, ReceivedBody, asks_for_page, to_sign_in
from runyard.handlers.contract.bodies import Body
from runyard.handlers.contract.document import is_public
from runyard.handlers.contract.routing import Route
from runyard.handlers.http.scope import APP_ROUTE, AUTHENTICATED, TEMPLATE, Message, Receive, Scope
from runyard.runtime.auth.principal import Principal
from runyard.runtime.auth.refusal import Refusal


def show_user(scope: Scope, principal: Principal) -> None:
    """Has the application find who makes the request."""
    user = principal.user
    if user is None and principal.identity is None:
        return
    # Whoever has an API key has a name, and nothing else is known of them.
    scope["user"] = SimpleUser(principal.identity or "") if user is None else user
    scope["auth"] = AuthCredentials(list(principal.permissions))


class Gate:
    """Asks who makes a request, once."""

    def __init__(self, authentication: Authentication | None, *, authenticates: bool, body_limit: int) -> None:
        """`authentication`: None: nobody has to say who they are. `authenticates`: whether the application's own routes
        ask it too. `body_limit`: bytes of bodies, for handlers that look at them."""
        self._authentication = authentication
        self._authenticates = authenticates
        self._body = Body(body_limit)

    async def pass_to_app(self, scope: Scope, receive: Receive) -> Receive:
        """Before a route of the application: what it receives the body by. Raises what the request is refused by."""
        if not self._authenticates:
            return receive
        return await self._pass(scope, receive, APP_ROUTE)

    async def pass_to_ours(self, scope: Scope, receive: Receive, route: Route | None) -> Receive:
        """Before a route of ours, where the application's middleware is to find it out already."""
        definition = None if route is None else route.definitions.get(scope.get("method", "GET"))
        if route is None or definition is None or is_public(definition):
            return receive
        try:
            return await self._pass(scope, receive, route.template)
        except Refusal as refusal:
            if "text/html" in _types(definition) and refusal.status == 401 and asks_for_page(scope):
                raise to_sign_in(scope) from None
            raise

    async def _pass(self, scope: Scope, receive: Receive, template: str) -> Receive:
        if self._authentication is None or AUTHENTICATED in scope:
            return receive
        body = ReceivedBody(None if scope["type"] == "websocket" else self._body, scope, receive)
        # A WebSocket begins as a GET, and handlers may look at the method.
        asked = {"method": "GET", **scope, TEMPLATE: template}
        principal = await self._authentication.authenticate(asked, body)
        scope[AUTHENTICATED] = principal
        show_user(scope, principal)
        return _again(body, receive) if body.was_read else receive


def _types(definition: dict[str, Any]) -> Any:
    return definition["responses"].get("200", {}).get("content", {})


def _again(body: ReceivedBody, receive: Receive) -> Receive:
    """Gives the body that was read already, and then what comes."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return await body.as_message()

    return receive_again
