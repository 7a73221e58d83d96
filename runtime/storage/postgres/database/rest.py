"""When the next transaction of a kind begins. On a busy machine, where they take long, more gathers for each, so that
there are fewer."""

from __future__ import annotations

import time
from typing import Final

QUICK: Final = 0.0025
"""Seconds that a transaction takes behind which there is no rest: the machine has time."""
FACTOR: Final = 2
"""Times as long as the latest transaction took."""
LONGEST: Final = 0.02
"""Seconds at the most."""


class Rest:
    """Of transactions that one process makes."""

    def __init__(self) -> None:
        self._until = 0.0

    def begin(self, took: float) -> None:
        """A transaction has ended that took so many seconds."""
        self._until = 0.0 if took <= QUICK else time.monotonic() + min(LONGEST, FACTOR * took)

    @property
    def left(self) -> float:
        """Seconds until the next one is to begin; not above 0 when it may."""
        return self._until - time.monotonic()
