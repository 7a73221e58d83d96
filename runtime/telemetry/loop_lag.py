"""How late the event loop is: what holds it up holds up every answer."""

import asyncio
from collections.abc import Callable
from typing import Final

INTERVAL: Final = 0.1
"""Seconds between two measurements."""


class LoopLag:
    """Measures the event loop that it is started on."""

    def __init__(self, observe: Callable[[float], None]) -> None:
        """`observe` is told how many seconds late each measurement was."""
        self._observe = observe
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Measures from now on."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(due := loop.time() + INTERVAL, self._measure, due)

    def stop(self) -> None:
        """Measures no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _measure(self, due: float) -> None:
        self._observe(max(0.0, asyncio.get_running_loop().time() - due))
        self.start()
