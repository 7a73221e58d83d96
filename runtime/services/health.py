"""Whether the server does what it is there for."""

from __future__ import annotations

import time
from typing import Protocol

from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import Unavailable

WITHOUT_WORKERS = 30.0
"""Seconds without a single worker that is ready: one that died is replaced in less, unless its imports take long."""


class WorkerList(Protocol):
    """Knows which workers are ready."""

    def pids(self) -> list[int]:
        """Their process ids."""

    def none_since(self) -> float | None:
        """Since when, by the monotonic clock, there has been none; None: there is one, or has not been one yet."""


class Health:
    """A start is not judged, nor a worker that is being replaced, nor some that are missing while others work: those
    are figures in the metrics."""

    def __init__(self, loops: Loops, workers: WorkerList, wanted: int) -> None:
        self._loops = loops
        self._workers = workers
        self._wanted = wanted

    def check(self) -> None:
        """Raises Unavailable, saying what does not go."""
        faults = []
        since = self._workers.none_since()
        if since is not None and time.monotonic() - since > WITHOUT_WORKERS:
            faults.append(f"there are no workers: 0 of {max(1, self._wanted)} are ready; the log says why")
        for loop in self._loops.states():
            if loop.state == "ended":
                faults.append(f"a background loop has ended: {loop.name}; restart the server")
            elif loop.state == "late":
                faults.append(f"a background loop is {loop.late:.0f} s late: {loop.name}; the log may say why")
        if faults:
            raise Unavailable("; ".join(faults))
