"""What the lifespan opens and nodes use, as a global."""

from __future__ import annotations

import os


class Pool:
    def __init__(self) -> None:
        self.pid = os.getpid()
        self.closed = False

    async def fetch(self) -> str:
        if self.closed:
            raise RuntimeError("the pool is closed")
        return "row"


pool: Pool | None = None
