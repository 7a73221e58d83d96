"""A request before anybody knows who makes it: all that authentication may look at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

from runyard.runtime.auth.inner_requests import Caller
from runyard.runtime.auth.principal import Principal


class RequestHeaders(dict[bytes, bytes]):
    """Headers as authentication handlers get them: names, in lower case, and values are bytes.

    Asked for a name that is a text, in any case, it answers with a text. Of several headers of one name it has the
    last.
    """

    def __getitem__(self, name: Any) -> Any:
        if isinstance(name, str):
            return super().__getitem__(name.lower().encode("latin-1", "replace")).decode("latin-1")
        return super().__getitem__(name)

    def get(self, name: Any, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name.lower().encode("latin-1", "replace") if isinstance(name, str) else name)


class IncomingRequest:
    """One request. What costs anything is made when it is asked for."""

    __slots__ = ("read_json", "scope", "web_request")

    def __init__(
        self,
        scope: MutableMapping[str, Any],
        read_json: Callable[[], Awaitable[Any]],
        web_request: Callable[[], Any],
    ) -> None:
        """`scope`: as ASGI has it. `read_json` gives the parsed body, None where there is none, and raises what a body
        that cannot be read is answered with; `web_request` gives the request as Starlette has it."""
        self.scope = scope
        self.read_json = read_json
        self.web_request = web_request

    @property
    def headers(self) -> RequestHeaders:
        """All headers."""
        return RequestHeaders(self.scope["headers"])

    def header(self, name: bytes) -> str | None:
        """One header; `name` in lower case."""
        return next((value.decode("latin-1") for key, value in self.scope["headers"] if key == name), None)

    @property
    def query_params(self) -> dict[str, str]:
        """The parameters in the query; of several of one name the last."""
        return dict(parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True))

    def argument(self, name: str) -> Any:
        """What the parameter `name` of an authentication handler gets, but for the body."""
        match name:
            case "authorization":
                return self.header(b"authorization")
            case "path_params":
                return dict(self.scope.get("path_params") or {})
            case "headers" | "query_params":
                return getattr(self, name)
            case "request":
                return self.web_request()
            case "scope":
                return self.scope
            case _:
                return self.scope[name]


class Authenticator(Protocol):
    """Finds out who makes a request."""

    async def authenticate(self, request: IncomingRequest) -> Principal:
        """Who makes it. Raises `Refusal` when that is not known or they may not, and Unavailable when it cannot be
        found out at the moment. Anything else that is raised is a defect."""

    def known(self, caller: Caller) -> Principal:
        """Who a request of this server's own code is made for. They were authenticated when they began, so no handler
        is asked."""
