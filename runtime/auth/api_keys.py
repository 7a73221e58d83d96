"""Authentication by API keys: whoever has one may do everything."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from runyard.runtime.auth.inner_requests import Caller
from runyard.runtime.auth.principal import ANONYMOUS, Principal
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.auth.requests import IncomingRequest
from runyard.runtime.errors import ConfigError, Unavailable
from runyard.runtime.scope import Scope

logger = logging.getLogger(__name__)

SHORTEST: Final = 16
"""Characters of a key."""
LOOK_INTERVAL: Final = 1.0
"""Seconds between two looks at the file of keys."""

_NAMED: Final = re.compile(r"(?:(?P<name>[\w.@-]{1,100}):)?(?P<key>[!-~]+)", re.ASCII)
_CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}

Keys = dict[bytes, Principal]
"""By the SHA-256 of a key: who has it."""


class ApiKeys:
    """Keys from a setting and from a file; the file is read again when it has changed.

    A client sends its key as `x-api-key`, or as a bearer token. A key has a name, which things that are made with it
    have as their creator; to graphs it says nothing of a user, so whoever calls may name one.
    """

    def __init__(self, given: Iterable[str], file: Path | None = None) -> None:
        """Each of `given`, and each line of `file`, is a key or `name:key`. Raises ConfigError."""
        self._given = _read("RUNYARD_API_KEYS", given)
        self._file = file
        self._stamp: tuple[int, ...] | None = None
        self._looked = -LOOK_INTERVAL
        self._of_file: Keys | None = {}
        if file is not None:
            self._stamp, lines = self._stamp_of(file), _lines(file)
            self._of_file = _read(str(file), lines)
        if not self._given and not self._of_file:
            raise ConfigError(
                f"{file or 'RUNYARD_API_KEYS'}: there is no key in it; take it away to serve without authentication"
            )

    async def authenticate(self, request: IncomingRequest) -> Principal:
        """See `Authenticator`."""
        self._look()
        presented = request.header(b"x-api-key") or _bearer(request.header(b"authorization"))
        if presented is None:
            raise Refusal(401, "An API key is needed; send it in the header x-api-key", _CHALLENGE)
        digest = hashlib.sha256(presented.encode("latin-1")).digest()
        found: Principal | None = None
        for keys in (self._given, self._of_file):
            if keys is None:
                raise Unavailable("The API keys cannot be read at the moment; try again later")
            for known, principal in keys.items():  # all of them, so that the time says nothing of which
                if hmac.compare_digest(digest, known):
                    found = principal
        if found is None:
            raise Refusal(401, "The API key is not known", _CHALLENGE)
        return found

    def known(self, caller: Caller) -> Principal:
        """See `Authenticator`."""
        name = caller.identity
        return ANONYMOUS if name is None else Principal(name, Scope(identity=name))

    def _look(self) -> None:
        now = time.monotonic()
        if self._file is None or now - self._looked < LOOK_INTERVAL:
            return
        self._looked = now
        try:
            stamp = self._stamp_of(self._file)
            if stamp == self._stamp and self._of_file is not None:
                return
            lines = _lines(self._file)
        except ConfigError as error:
            # A key that was taken away must not live on because nobody can see that.
            if self._of_file is not None:
                logger.error("%s; nobody is let in until it can be read", error.detail)
            self._of_file = None
            return
        keys: Keys = {}
        for line in lines:
            try:
                keys |= _read(str(self._file), [line])
            except ConfigError as error:
                logger.error("%s; it lets nobody in", error.detail)
        self._stamp, self._of_file = stamp, keys
        logger.warning("%s has changed: %d API keys are known now", self._file, len(keys))

    @staticmethod
    def _stamp_of(file: Path) -> tuple[int, ...]:
        try:
            state = os.stat(file)
        except OSError as error:
            raise _unreadable(file, error) from None
        return state.st_mtime_ns, state.st_size, state.st_ino


def _lines(file: Path) -> list[str]:
    """The lines that hold keys."""
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from None
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _unreadable(file: Path, error: Exception) -> ConfigError:
    reason = error.strerror if isinstance(error, OSError) else "it is no text"
    return ConfigError(f"RUNYARD_API_KEYS_FILE: {file} cannot be read: {reason}")


def _read(place: str, entries: Iterable[str]) -> Keys:
    """Raises ConfigError, which names no key."""
    keys: Keys = {}
    for number, entry in enumerate(entries, start=1):
        found = _NAMED.fullmatch(entry)
        if found is None or len(found["key"]) < SHORTEST:
            raise ConfigError(
                f"{place}: entry {number} is no key of at least {SHORTEST} characters without spaces, nor name:key;"
                " make one with: openssl rand -hex 24"
            )
        digest = hashlib.sha256(found["key"].encode()).digest()
        name = found["name"] or f"key-{digest.hex()[:8]}"
        keys[digest] = Principal(name, Scope(identity=name))
    return keys


def _bearer(authorization: str | None) -> str | None:
    kind, _, token = (authorization or "").partition(" ")
    return token.strip() or None if kind.lower() == "bearer" else None
