"""How many runs a worker takes on at once."""

import asyncio
import time
from collections import deque
from statistics import median
from typing import Final

LEAST: Final = 6
"""Runs that are always welcome: a loop with fewer has gaps."""
BESIDE: Final = 2
"""Other runs that continue beside interactive ones when the loop is full."""
CALM: Final = 0.0002
"""Seconds that a turn of the event loop takes at most while there is room for more runs. A step of a run that
computes takes about 50 us of a turn, and a run some twenty turns."""
LATE: Final = 0.0005
"""Seconds of a turn from which on further runs only make all of them slower."""
SAMPLE: Final = 0.004
"""Seconds between looks at the loop, while runs are under way."""
SAMPLES: Final = 9
"""Looks that are judged together. Their median: many timers that fire at once are no sign of a full loop."""


class Admission:
    """Follows how long the turns of the event loop take.

    Runs that wait (for a model, for a timer) leave the loop idle, and the limit grows up to `most`. Runs that
    compute fill it; then few at once are as fast as many, and those that somebody waits for come sooner.
    Interactive runs are let in past the limit, up to `most` and a quarter more.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._least = min(LEAST, most)
        self._limit = float(min(most, 2 * LEAST))
        self.ceiling = most + max(4, most // 4)
        self._turns: deque[float] = deque(maxlen=SAMPLES)
        self._loop = asyncio.get_running_loop()
        self._sampling = False
        self._running = self._interactive = 0
        self._full = False

    def room(self) -> tuple[int, int]:
        """How many runs may be claimed now: of any lane, and in all when the rest are interactive."""
        return max(0, int(self._allowed()) - self._running), max(0, self.ceiling - self._running)

    def worth_claiming(self) -> bool:
        """Whether there is room for enough runs that taking them in one transaction pays."""
        return self._running <= self._allowed() / 2

    def _allowed(self) -> float:
        # On a full loop, those that somebody waits for get it nearly to themselves.
        return min(self._limit, BESIDE) if self._interactive and self._full else self._limit

    def changed(self, running: int, interactive: int) -> None:
        """So many runs are under way now, and so many of them have a client that waits."""
        self._running, self._interactive = running, interactive
        if running and not self._sampling:
            self._sampling = True
            self._turns.clear()
            self._loop.call_later(SAMPLE, self._look)

    def _look(self) -> None:
        if not self._running:
            self._sampling = False
            return
        self._loop.call_soon(self._turned, time.perf_counter())  # uvloop's clock stands still in a turn

    def _turned(self, began: float) -> None:
        self._turns.append(time.perf_counter() - began)
        if len(self._turns) == SAMPLES:
            self._judge(median(self._turns))
        self._loop.call_later(SAMPLE, self._look)

    def _judge(self, turn: float) -> None:
        self._full = turn > CALM
        if turn > LATE:
            self._limit = max(self._least, self._limit * 0.7)
            self._turns.clear()
        elif turn < CALM and self._running >= self._limit * 0.7:
            self._limit = min(self._most, self._limit * 1.5)
            self._turns.clear()
