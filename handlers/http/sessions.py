"""Who has signed in with a browser: a cookie that stands for credentials, for pages and for what cannot send headers.

The credentials stay here, in memory: a cookie says nothing without this server, and ends with it. They are looked at
anew for each request, so what is revoked opens nothing any more.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, NamedTuple

from runyard.handlers.http.callers import is_own_origin
from runyard.handlers.http.scope import Header, Scope

COOKIE: Final = "runyard_session"
LIFETIME: Final = 8 * 3600
"""Seconds after which one has to sign in again."""
MOST: Final = 10_000
"""Sessions that are kept; beyond them the oldest end."""

_CREDENTIALS: Final = (b"authorization", b"x-api-key")


class _Session(NamedTuple):
    until: float
    credentials: tuple[Header, ...]


class Sessions:
    """All sessions of one server."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()

    def begin(self, credentials: Sequence[Header]) -> str:
        """The cookie's value for a browser that has signed in with these headers."""
        token = secrets.token_urlsafe(32)
        self._sessions[_digest(token)] = _Session(time.monotonic() + LIFETIME, tuple(credentials))
        if len(self._sessions) > MOST:
            self._sessions.popitem(last=False)
        return token

    def end(self, scope: Scope) -> None:
        """Forgets the session of a request, if it has one."""
        for token in _tokens(scope):
            self._sessions.pop(_digest(token), None)

    def credentials(self, scope: Scope) -> tuple[Header, ...]:
        """The headers that a request's cookie stands for; none where it has credentials of its own, or comes from a
        page of another origin: a browser adds the cookie without asking who wrote the page."""
        tokens = _tokens(scope)
        if not tokens or any(name in _CREDENTIALS for name, _ in scope["headers"]) or not is_of_own_page(scope):
            return ()
        for token in tokens:
            session = self._sessions.get(_digest(token))
            if session is not None and session.until > time.monotonic():
                return session.credentials
        return ()


def set_cookie(scope: Scope, token: str | None) -> Header:
    """The header that gives a browser its cookie; None takes it away."""
    lifetime = 0 if token is None else LIFETIME
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    value = f"{COOKIE}={token or ''}; Path=/; Max-Age={lifetime}; HttpOnly; SameSite=Strict{secure}"
    return (b"set-cookie", value.encode("ascii"))


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


def _tokens(scope: Scope) -> list[str]:
    """The values of the cookie: a page of another port may have set one of the same name."""
    found = []
    for name, value in scope["headers"]:
        if name == b"cookie":
            for item in value.decode("latin-1").split(";"):
                key, _, token = item.strip().partition("=")
                if key == COOKIE and token:
                    found.append(token)
    return found


def _digest(token: str) -> bytes:
    # Looking a secret up by itself would tell by its time how much of it was right.
    return hashlib.sha256(token.encode()).digest()
