"""Where sign-ins are kept, in memory."""

from __future__ import annotations

import time


class FakeSignInStorage:
    """What `SignIns` asks."""

    def __init__(self) -> None:
        self.kept: dict[bytes, tuple[float, bytes]] = {}

    async def begin(self, digest: bytes, sealed: bytes, *, seconds: float, most: int) -> None:
        self.kept[digest] = (time.monotonic() + seconds, sealed)
        while len(self.kept) > most:
            self.kept.pop(next(iter(self.kept)))

    async def find(self, digest: bytes) -> bytes | None:
        until, sealed = self.kept.get(digest, (0.0, b""))
        return sealed if until > time.monotonic() else None

    async def end(self, digest: bytes) -> None:
        self.kept.pop(digest, None)
