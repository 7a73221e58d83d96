"""What large threads have left behind when they were deleted is removed by and by."""

from runyard.runtime.maintenance.duty import MORE_TO_DO, RECHECK_INTERVAL
from runyard.runtime.services.threads import Threads


class DeletedThreads:
    """Goes on also after a crash: storage knows what is left."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    async def perform(self) -> float:
        """Soon again when there is more."""
        return MORE_TO_DO if await self._threads.remove_leftovers() else RECHECK_INTERVAL
