"""Browsers whose users have signed in: what they have signed in with, for every server of the database.

A browser keeps a secret of its own, which it sends instead of the credential. The server keeps the credential, sealed
with that secret, under another digest of it: what is stored opens nothing without a browser. Credentials are looked at
anew for each request, so one that is revoked opens nothing any more.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from runyard.runtime.storage.port.sign_ins import SignInStorage

LIFETIME: Final = 8 * 3600
"""Seconds after which one has to sign in again."""
MOST: Final = 10_000
"""Sign-ins that are kept; beyond them the oldest end."""


class SignIns:
    """Begins and ends them. Raises Unavailable, as storage does."""

    def __init__(self, storage: SignInStorage) -> None:
        self._storage = storage

    async def begin(self, credential: str) -> str:
        """The secret of a browser that has signed in with a credential: 43 letters, digits, `-` and `_`."""
        token = secrets.token_urlsafe(32)
        sealed = _sealed(token, credential.encode())
        await self._storage.begin(_digest(token), sealed, seconds=LIFETIME, most=MOST)
        return token

    async def credential(self, token: str) -> str | None:
        """What a browser has signed in with; None when it has not, or no longer."""
        sealed = await self._storage.find(_digest(token))
        return None if sealed is None else _sealed(token, sealed).decode()

    async def end(self, token: str) -> None:
        """Forgets what a browser has signed in with."""
        await self._storage.end(_digest(token))


def _digest(token: str) -> bytes:
    # Looking a secret up by itself would tell by its time how much of it was right.
    return hashlib.sha256(token.encode()).digest()


def _sealed(token: str, text: bytes) -> bytes:
    """The text with a key of its own length that is used for nothing else; twice, it is the text again."""
    key = hashlib.shake_256(token.encode()).digest(len(text))
    return bytes(one ^ other for one, other in zip(text, key, strict=True))
