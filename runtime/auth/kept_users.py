"""Who has been authenticated lately (`auth.cache` of langgraph.json), so that the project's handler is not asked for
each request.

Only what the handler gave is kept, never a refusal. Headers that carry credentials are always among those that must be
the same: a list that forgets them lets nobody in who could not have come in by themselves.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from typing import Final

from runyard.runtime.auth.requests import IncomingRequest
from runyard.runtime.auth.user import User, stored_user

CREDENTIALS: Final = frozenset((b"authorization", b"cookie", b"proxy-authorization", b"x-api-key"))


class KeptUsers:
    """By the headers of their requests. Use from one event loop."""

    def __init__(self, headers: Iterable[str], *, seconds: float, most: int) -> None:
        """`headers`: names, in lower case; requests that have all of them, with the same values, are alike. `seconds`:
        for how long a user is kept. `most`: how many of them."""
        self._required = frozenset(name.encode("latin-1") for name in headers)
        self._compared = self._required | CREDENTIALS
        self._seconds = seconds
        self._most = most
        self._kept: dict[bytes, tuple[float, str]] = {}  # in the order in which their time ends

    def key_of(self, request: IncomingRequest) -> bytes | None:
        """What it has in common with others of the same user; None: it lacks a header that would say so."""
        given = sorted(header for header in request.scope["headers"] if header[0] in self._compared)
        if not self._required <= {name for name, _ in given}:
            return None
        digest = hashlib.sha256()  # so that no credentials stay in memory
        for name, value in given:
            digest.update(b"%d %d " % (len(name), len(value)) + name + value)
        return digest.digest()

    def get(self, key: bytes) -> User | None:
        """Whom the handler gave for such a request, if their time is not over."""
        until, user = self._kept.get(key, (0.0, None))
        return stored_user(user) if until > time.monotonic() else None  # anew: handlers may change what they get

    def keep(self, key: bytes, user: User) -> None:
        """The handler gave that user for it now."""
        self._kept.pop(key, None)
        if len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (time.monotonic() + self._seconds, user.to_json())
