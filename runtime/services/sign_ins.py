"""Browsers whose users have signed in: what they have signed in with, for every server of the database.

A browser keeps a secret of its own, which it sends instead of the credential. The server keeps the credential,
encrypted with that secret, under a digest of it: what is stored opens nothing without a browser, and what somebody has
changed there is refused. Credentials are looked at anew for each request, so one that is revoked opens nothing any
more.
"""

from __future__ import annotations

import hashlib
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
        """The secret of a browser that has signed in with a credential: 43 letters, digits, `-` and `_`. It is a key
        that encrypts this one text."""
        from cryptography.fernet import Fernet  # most servers start without a need for it

        token = Fernet.generate_key().decode().rstrip("=")
        sealed = Fernet(f"{token}=").encrypt(credential.encode())
        await self._storage.begin(_digest(token), sealed, seconds=LIFETIME, most=MOST)
        return token

    async def credential(self, token: str) -> str | None:
        """What a browser has signed in with; None when it has not, or no longer, or it was not kept as it was."""
        sealed = await self._storage.find(_digest(token))
        if sealed is None:
            return None
        from cryptography.fernet import Fernet, InvalidToken

        try:
            return Fernet(f"{token}=").decrypt(sealed).decode()
        except InvalidToken:
            return None

    async def end(self, token: str) -> None:
        """Forgets what a browser has signed in with."""
        await self._storage.end(_digest(token))


def _digest(token: str) -> bytes:
    # Looking a secret up by itself would tell by its time how much of it was right.
    return hashlib.sha256(token.encode()).digest()
