"""How many runs a worker takes on at once."""

from typing import Final

LEAST: Final = 6
"""Runs that are always welcome: a loop with fewer has gaps."""
CALM: Final = 0.005
"""Seconds of lateness of the event loop below which more runs do no harm."""
LATE: Final = 0.015
"""Seconds of lateness from which on further runs only make all of them slower."""


class Admission:
    """Follows the lateness of the event loop.

    Runs that wait (for a model, for a timer) leave the loop on time, and the limit doubles up to `most`. Runs
    that compute make it late; then few at once are as fast, and those that somebody waits for come sooner.
    Interactive runs are let in past the limit, up to `most` and a quarter more.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = min(most, 2 * LEAST)
        self.ceiling = most + max(4, most // 4)

    def observe(self, lateness: float, running: int) -> None:
        """`lateness` in seconds, with so many runs under way."""
        if lateness > LATE:
            self._limit = max(min(LEAST, self._most), self._limit // 2)
        elif lateness < CALM and running * 2 > self._limit:
            self._limit = min(self._most, self._limit * 2)

    def room(self, running: int) -> tuple[int, int]:
        """How many runs may be claimed now: of any lane, and in all when the rest are interactive."""
        return max(0, self._limit - running), max(0, self.ceiling - running)
