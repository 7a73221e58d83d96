"""The cookie of browsers whose users have signed in: it stands for credentials, for pages and for what cannot send
headers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from runyard.handlers.http.callers import is_own_origin
from runyard.handlers.http.scope import Header, Scope

COOKIE: Final = "runyard_session"
MOST: Final = 8
"""Of the name that a request may have: a page of another port of the same machine may set some."""

_CREDENTIALS: Final = (b"authorization", b"x-api-key")
_TOKEN: Final = re.compile(r"[\w-]{43}", re.ASCII)
"""See `runyard.runtime.services.sign_ins`: nobody needs to look for anything else."""


def set_cookie(scope: Scope, token: str | None, lifetime: int = 0) -> Header:
    """The header that gives a browser its cookie, for so many seconds; None takes it away."""
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    value = f"{COOKIE}={token or ''}; Path=/; Max-Age={lifetime}; HttpOnly; SameSite=Strict{secure}"
    return (b"set-cookie", value.encode("ascii"))


def counting_tokens(scope: Scope) -> Sequence[str]:
    """The values of a request's cookie; none where it has credentials of its own, or comes from a page of another
    origin: a browser adds the cookie without asking who wrote the page."""
    tokens = read_tokens(scope)
    if not tokens or any(name in _CREDENTIALS for name, _ in scope["headers"]) or not is_of_own_page(scope):
        return ()
    return tokens


def read_tokens(scope: Scope) -> Sequence[str]:
    """The values of a request's cookie, whoever has sent it."""
    found = []
    for name, value in scope["headers"]:
        if name == b"cookie":
            for item in value.decode("latin-1").split(";"):
                key, _, token = item.strip().partition("=")
                if key == COOKIE and _TOKEN.fullmatch(token):
                    found.append(token)
    return found[:MOST]


def is_of_own_page(scope: Scope) -> bool:
    """Whether a browser sends the request for a page of this server, or for its user; also of what no browser sends.

    Browsers say it to servers that they trust (Sec-Fetch-Site), to others at least with what may change something
    (Origin). Pages of another port of the same machine are other pages, though they get the cookie.
    """
    headers = dict(scope["headers"])
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site in (b"same-origin", b"none")
    origin = headers.get(b"origin")
    return origin is None or is_own_origin(origin, headers.get(b"host"))
