"""A stop that code of the project holds up: what blocks the event loop cannot be ended from within it."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Final

logger = logging.getLogger(__name__)

ANSWER: Final = 10.0
"""Seconds in which an event loop that is not blocked answers, however busy the machine is."""
STEPS: Final = 10
PAUSE: Final = 1.0
"""Seconds between two questions."""


class HeldUpStop:
    """Ends the process when the event loop that is to stop does not answer any more. All that was accepted is stored,
    so nothing is lost but the order of the end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, end: Callable[[], object]) -> None:
        """`end` ends the process at once."""
        self._loop = loop
        self._end = end
        self._told: queue.SimpleQueue[float] = queue.SimpleQueue()  # which a signal's handler may use
        threading.Thread(target=self._watch, name="held up stop", daemon=True).start()

    def begin(self, within: float) -> None:
        """It was told to stop, and may be as busy with that as it likes for so many seconds. For a signal's handler."""
        self._told.put(within)

    def _watch(self) -> None:
        time.sleep(self._told.get())
        while self._answers():
            time.sleep(PAUSE)
        logger.error(
            "the stop is held up: code of the project blocks the event loop; the process ends now, and runs that it had"
            " under way are taken back"
        )
        self._end()

    def _answers(self) -> bool:
        answered = threading.Event()
        try:
            self._loop.call_soon_threadsafe(answered.set)
        except RuntimeError:  # it is closed: the process ends by itself
            return True
        # In steps: a suspension of the process costs one of them.
        return any(answered.wait(ANSWER / STEPS) for _ in range(STEPS))
