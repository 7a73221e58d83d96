"""Idempotency keys are kept for a while after their use, then dropped."""

from runyard.runtime.maintenance.duty import MORE_TO_DO
from runyard.runtime.storage.port.idempotency import IdempotencyStorage

INTERVAL = 10.0
ROWS_PER_TRANSACTION = 100
"""Fewer than elsewhere: what was made under a key may be many runs."""


class IdempotencyKeys:
    """Drops keys that were used more than `ttl` seconds ago, and the oldest while all of them take more than
    `most_bytes`."""

    def __init__(self, storage: IdempotencyStorage, ttl: float, most_bytes: int) -> None:
        self._storage = storage
        self._ttl = ttl
        self._most_bytes = most_bytes

    async def perform(self) -> float:
        """At once again when there may be more."""
        dropped = await self._storage.forget(self._ttl, self._most_bytes, ROWS_PER_TRANSACTION)
        return INTERVAL if dropped < ROWS_PER_TRANSACTION else MORE_TO_DO
