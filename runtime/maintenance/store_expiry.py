"""Items of the store whose time is over, which nobody sees any more, are removed."""

from runyard.runtime.config.project import StoreTtl
from runyard.runtime.maintenance.duty import MORE_TO_DO, ROWS_PER_TRANSACTION
from runyard.runtime.storage.port.store import StoreStorage

INTERVAL = 60.0
"""Seconds between two looks, where the project says nothing."""


class StoreExpiry:
    """`ttl` may say how often to look."""

    def __init__(self, store: StoreStorage, ttl: StoreTtl) -> None:
        self._store = store
        self._interval = ttl.sweep_seconds or INTERVAL

    async def perform(self) -> float:
        """Soon again when there may be more."""
        return MORE_TO_DO if await self._store.expire(ROWS_PER_TRANSACTION) else self._interval
