"""Browsers whose users have signed in."""

from typing import Protocol


class SignInStorage(Protocol):
    """What sign-ins stand for. Whoever asks brings the digest of a secret that is kept nowhere here, and what is kept
    can be read with that secret alone."""

    async def begin(self, digest: bytes, sealed: bytes, *, seconds: float, most: int) -> None:
        """Keeps a sign-in for so many seconds. Those whose time is over are dropped, and of more than `most` those that
        end first."""

    async def find(self, digest: bytes) -> bytes | None:
        """What a sign-in stands for; None when there is none, or it has ended."""

    async def end(self, digest: bytes) -> None:
        """Drops a sign-in, if there is one."""
