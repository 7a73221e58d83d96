"""The application as the server's inner socket has it: where requests say which code of this server makes them."""

from __future__ import annotations

from typing import Any, Final

from runyard.handlers.http.scope import CALLER, Receive, Scope, Send
from runyard.runtime.auth.inner_requests import HEADER, SYSTEM, InnerAddress, acting_for

_HEADER: Final = HEADER.encode("ascii")


class InnerRequests:
    """Puts the caller into the scope, for authentication, and takes the header away, which nobody else is to see."""

    def __init__(self, app: Any, address: InnerAddress) -> None:
        self._app = app
        self._address = address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        said = [value for name, value in scope["headers"] if name == _HEADER]
        caller = self._address.read(said[0]) if len(said) == 1 else None
        if said:
            scope["headers"] = [header for header in scope["headers"] if header[0] != _HEADER]
        scope[CALLER] = caller
        acting_for.set(caller or SYSTEM)
        await self._app(scope, receive, send)
