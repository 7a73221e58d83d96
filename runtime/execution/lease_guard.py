"""Keeps a worker from going on with runs that others may have: where its lease has run out, it waits until it has heard
what became of them.

A process that was stopped, with its machine or alone, wakes up in the middle of its nodes, and others may have begun
them anew. Its timers are due then, and so is the look here, which comes before any code that waited for them: they are
all called before tasks go on. What pool threads have in hand goes on all the same.
"""

import asyncio
from collections.abc import Callable

from runyard.runtime.execution.heartbeat import HeartbeatThread

LONGEST_HOLD = 5.0
"""Seconds for which the event loop is held up at the most: heartbeats have answered or given up long before, unless
their thread does not come to its turn, or the process is stopped again. The runs are given up then."""


class LeaseGuard:
    """Looks every `interval` seconds, on the worker's event loop. `apply` carries out what heartbeats have answered."""

    def __init__(self, heartbeat: HeartbeatThread, apply: Callable[[], object], *, interval: float) -> None:
        self._heartbeat = heartbeat
        self._apply = apply
        self._interval = interval
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins to look."""
        self._timer = self._loop.call_later(self._interval, self._look)

    def stop(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self.start()
        if self._heartbeat.is_in_doubt():
            self._heartbeat.wait_until_told(LONGEST_HOLD)
            self._apply()
