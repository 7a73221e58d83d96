"""Results of batches are kept for a while, and while there is room for them."""

from runyard.runtime.maintenance.duty import MORE_TO_DO, ROWS_PER_TRANSACTION
from runyard.runtime.storage.port.results import ResultStorage

INTERVAL = 10.0


class ResultRetention:
    """Gives up the results of batches that ended more than `result_ttl` seconds ago, and drops the oldest values while
    all have more than `result_bytes` bytes."""

    def __init__(self, results: ResultStorage, result_ttl: float, result_bytes: int) -> None:
        self._results = results
        self._result_ttl = result_ttl
        self._result_bytes = result_bytes

    async def perform(self) -> float:
        """At once again when there may be more."""
        expired = await self._results.expire(self._result_ttl, ROWS_PER_TRANSACTION)
        dropped = await self._results.shrink(self._result_bytes, ROWS_PER_TRANSACTION)
        return MORE_TO_DO if expired or dropped else INTERVAL
