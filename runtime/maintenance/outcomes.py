"""What ended runs answered is kept for a while, then dropped."""

from runyard.runtime.maintenance.duty import MORE_TO_DO, ROWS_PER_TRANSACTION
from runyard.runtime.storage.port.runs import RunStorage

INTERVAL = 10.0


class Outcomes:
    """Drops outcomes that are older than `result_ttl` seconds."""

    def __init__(self, runs: RunStorage, result_ttl: float) -> None:
        self._runs = runs
        self._result_ttl = result_ttl

    async def perform(self) -> float:
        """At once again when there may be more."""
        dropped = await self._runs.forget_outcomes(self._result_ttl, ROWS_PER_TRANSACTION)
        return INTERVAL if dropped < ROWS_PER_TRANSACTION else MORE_TO_DO
