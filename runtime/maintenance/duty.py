"""What a maintenance duty is."""

from typing import Protocol

RECHECK_INTERVAL = 1.0
"""Seconds until a duty that failed is tried again, or that knows of no date looks again."""
ROWS_PER_TRANSACTION = 500
"""Rows that one transaction of maintenance touches: interactive writes must get in between."""
MORE_TO_DO = 0.05
"""Seconds between steps while there is more to do."""


class Duty(Protocol):
    """Something that has to be done from time to time, in steps of one short transaction each.

    Steps are guarded, so that several servers that perform one duty do no harm.
    """

    async def perform(self) -> float:
        """Does one step; returns the seconds until the next."""
