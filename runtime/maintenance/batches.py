"""What becomes of batches by and by, whoever asked for it and whatever was killed meanwhile."""

from runyard.runtime.maintenance.duty import MORE_TO_DO, RECHECK_INTERVAL, ROWS_PER_TRANSACTION
from runyard.runtime.services.batches import Batches

BATCHES_PER_TRANSACTION = 100
"""Batches that are forgotten at once."""
INTERVAL = 10.0
"""Seconds between two looks for batches that ended long ago."""


class CancelledBatches:
    """Stops what is left of cancelled batches."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    async def perform(self) -> float:
        """A request to cancel does most of it by itself."""
        await self._batches.stop_cancelled()
        return RECHECK_INTERVAL


class LateItems:
    """Ends what has not begun, or not ended, in the time that its batch was given."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    async def perform(self) -> float:
        """At once again when there may be more."""
        seconds = await self._batches.next_late()
        if seconds is None or seconds > 0:
            return RECHECK_INTERVAL if seconds is None else min(RECHECK_INTERVAL, seconds)
        return MORE_TO_DO if await self._batches.end_late(ROWS_PER_TRANSACTION) else 0.0


class OldBatches:
    """Forgets batches that ended more than `batch_ttl` seconds ago, and removes what deleted ones have left."""

    def __init__(self, batches: Batches, batch_ttl: float) -> None:
        self._batches = batches
        self._batch_ttl = batch_ttl

    async def perform(self) -> float:
        """At once again when there may be more."""
        forgotten = await self._batches.forget(self._batch_ttl, BATCHES_PER_TRANSACTION)
        more = await self._batches.remove_leftovers()
        return MORE_TO_DO if more or forgotten == BATCHES_PER_TRANSACTION else RECHECK_INTERVAL
