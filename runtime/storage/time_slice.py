"""How long one transaction may go on with work that can be done in pieces."""

import time

SLICE = 0.02
"""Seconds. Others may write between two slices; what is asked for at once is a few of them, and a commit."""

PIECE = 50
"""Rows between two looks at the clock: each may have megabytes."""


class TimeSlice:
    """Begins when it is made. `slices`: so many at once, where a transaction keeps few others waiting."""

    def __init__(self, slices: int = 1) -> None:
        self._end = time.monotonic() + slices * SLICE

    @property
    def over(self) -> bool:
        """Whether what is left has to be done in another transaction."""
        return time.monotonic() >= self._end
