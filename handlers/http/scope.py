"""The types of ASGI, and the keys under which this application keeps its own values in a request's scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]
"""Name, in lower case, and value."""

TEMPLATE = "runyard.template"
"""The template of the request's path, such as `/threads/{thread_id}`; set by the routing."""
CALLER = "runyard.caller"
"""Which code of this server makes the request, None where that is not known; there for those of the inner socket."""

AUTHENTICATED = "runyard.authenticated"
"""Who makes the request (a `Principal`), once authentication has found that out."""

PROBE = "runyard.probe"
"""Set where the request is one for the server's health from above `http.mount_prefix`."""

APP_ROUTE = "http.app"
"""The template of all requests that are not the document's, those above all that the project's own application answers:
there is no end of names that clients could make up."""
