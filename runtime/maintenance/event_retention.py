"""Stored events, and ends in the logs of threads, are kept for a while after the end of the run, then dropped."""

from runyard.runtime.maintenance.duty import MORE_TO_DO
from runyard.runtime.storage.port.events import EventStorage

INTERVAL = 10.0
ROWS_PER_TRANSACTION = 100
"""Fewer than elsewhere: a row of events may be large."""


class EventRetention:
    """Drops events and ends of runs that ended more than `event_ttl` seconds ago."""

    def __init__(self, events: EventStorage, event_ttl: float) -> None:
        self._events = events
        self._event_ttl = event_ttl

    async def perform(self) -> float:
        """At once again when there may be more."""
        more = await self._events.forget(self._event_ttl, ROWS_PER_TRANSACTION)
        return MORE_TO_DO if more else INTERVAL
