"""What browsers are told about requests from pages of other origins (`http.cors` of langgraph.json)."""

from __future__ import annotations

from collections.abc import Mapping

from runyard.handlers.http.callers import Origins
from runyard.handlers.http.responses import BodyResponse
from runyard.handlers.http.scope import Header
from runyard.runtime.config.project import CorsPolicy

EXPOSED = (
    "Location",
    "Content-Location",
    "Link",
    "X-Pagination-Total",
    "X-Pagination-Next",
    "X-Batch-Id",
    "Idempotency-Replayed",
)
"""Headers of responses that clients in browsers need, and could not read otherwise."""

_SAFELISTED = ("Accept", "Accept-Language", "Content-Language", "Content-Type")
"""What pages may always send, but for JSON: its type has to be allowed by name."""
_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
_VARY = (b"vary", b"Origin")


class Cors:
    """One policy, with the headers that follow from it ready to send."""

    def __init__(self, policy: CorsPolicy, origins: Origins) -> None:
        self.origins = origins
        self.credentials = policy.allow_credentials
        self.methods = _METHODS if "*" in policy.allow_methods else ", ".join(policy.allow_methods)
        named = dict.fromkeys((*_SAFELISTED, *policy.allow_headers))
        self.headers = None if "*" in policy.allow_headers else ", ".join(named)
        self.max_age = str(policy.max_age)
        exposed = dict.fromkeys((*EXPOSED, *policy.expose_headers))
        self.shared: list[Header] = [_VARY, (b"access-control-expose-headers", ", ".join(exposed).encode())]
        if self.credentials:
            self.shared.append((b"access-control-allow-credentials", b"true"))
        self.for_any = [*self.shared, (b"access-control-allow-origin", b"*")]

    def response_headers(self, origin: bytes | None, host: bytes | None) -> list[Header]:
        """What to add to a response; `origin` and `host` are headers of the request."""
        if origin is None or not self.origins.allows(origin, host):
            return [_VARY]
        if self.origins.any and not self.credentials:
            return self.for_any
        # With credentials a browser accepts its own origin only.
        return [*self.shared, (b"access-control-allow-origin", origin)]

    def preflight(self, request: Mapping[bytes, bytes]) -> BodyResponse:
        """The response to a browser that asks first, of an origin that is allowed. `request` holds its headers."""
        wanted = request.get(b"access-control-request-headers", b"")
        headers = [
            (b"access-control-allow-methods", self.methods.encode()),
            (b"access-control-allow-headers", wanted if self.headers is None else self.headers.encode()),
            (b"access-control-max-age", self.max_age.encode()),
        ]
        if request.get(b"access-control-request-private-network") == b"true":
            headers.append((b"access-control-allow-private-network", b"true"))
        return BodyResponse(200, b"OK", [(b"content-type", b"text/plain; charset=utf-8"), *headers])
