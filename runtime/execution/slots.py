"""Places of runs that wait for other runs of their server, lent to those others.

Without it, as many runs as a worker executes at once could all wait for runs that nobody has room for.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from runyard.runtime.execution.node_pool import lend_pool_thread

WAITING: Final = 4
"""Runs of a worker that may wait for others, as a multiple of those that it executes at once. A graph that starts
itself again and again comes to an end here, and not by what memory there is."""
LOOK: Final = 10.0
"""Seconds within which a run that waits for another one by looking at it looks again."""


class LentSlots:
    """Which runs of a worker wait. Runs lend their places from any thread; they end on the event loop."""

    def __init__(self, most: int, held: Callable[[str], bool], changed: Callable[[], None]) -> None:
        """`most`: runs that the worker executes at once. `held`: whether it has a run. `changed` is called on the event
        loop when a run begins or ends to wait."""
        self._most = most * WAITING
        self._held = held
        self._changed = changed
        self._waits: dict[str, int] = {}
        self._interactive: set[str] = set()
        self._looks: dict[str, asyncio.TimerHandle] = {}
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()

    def count(self) -> tuple[int, int]:
        """How many runs wait, and how many of those have a client that waits for them."""
        with self._lock:
            return len(self._waits), len(self._interactive)

    def lend(self, run_id: str, *, interactive: bool) -> None:
        """One more wait of that run. Raises RuntimeError when too many runs wait."""
        with self._lock:
            if not self._held(run_id):
                return  # something that it has left behind
            if run_id not in self._waits:
                self._check()
            self._waits[run_id] = self._waits.get(run_id, 0) + 1
            if interactive:
                self._interactive.add(run_id)
        self._tell()

    def look(self, run_id: str, *, interactive: bool) -> None:
        """A wait of that run for `LOOK` seconds, or so many more; none where too many runs wait."""
        self._loop.call_soon_threadsafe(self._look, run_id, interactive)

    def _look(self, run_id: str, interactive: bool) -> None:
        looked = self._looks.pop(run_id, None)
        if looked is not None:
            looked.cancel()
        else:
            try:
                self.lend(run_id, interactive=interactive)
            except RuntimeError:
                return
        if self._held(run_id):
            self._looks[run_id] = self._loop.call_later(LOOK, self._looked, run_id)

    def _looked(self, run_id: str) -> None:
        del self._looks[run_id]
        self.take_back(run_id)

    def check(self, run_id: str) -> None:
        """For a run that starts others. Raises as `lend` does."""
        with self._lock:
            if run_id not in self._waits:
                self._check()

    def _check(self) -> None:
        if len(self._waits) >= self._most:
            raise RuntimeError(
                f"{len(self._waits)} runs of this worker wait for other runs, and no more may: either a graph starts"
                " itself without an end, or the worker needs a larger --concurrency"
            )

    def take_back(self, run_id: str) -> None:
        """Ends one wait of that run, if it is still there."""
        with self._lock:
            waits = self._waits.get(run_id, 0)
            if waits > 1:
                self._waits[run_id] = waits - 1
                return
        self._forget(run_id)
        self._tell()

    def end(self, run_id: str) -> None:
        """The run is over, and waits no more."""
        looked = self._looks.pop(run_id, None)
        if looked is not None:
            looked.cancel()
        self._forget(run_id)

    def _forget(self, run_id: str) -> None:
        with self._lock:
            self._waits.pop(run_id, None)
            self._interactive.discard(run_id)

    def _tell(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed)


class RunSlot:
    """The place of one run; see `runyard.runtime.auth.inner_requests.Slot`."""

    __slots__ = ("_interactive", "_run_id", "_slots")

    def __init__(self, slots: LentSlots, run_id: str, *, interactive: bool) -> None:
        self._slots = slots
        self._run_id = run_id
        self._interactive = interactive

    def check(self) -> None:
        """For a run that starts another. Raises RuntimeError."""
        self._slots.check(self._run_id)

    def look(self) -> None:
        """The run waits, from now on, for `LOOK` seconds."""
        self._slots.look(self._run_id, interactive=self._interactive)

    def lend(self) -> Callable[[], None]:
        """The run waits, as long as the function that is given back is not called."""
        self._slots.lend(self._run_id, interactive=self._interactive)
        take_thread_back = lend_pool_thread()

        def take_back() -> None:
            take_thread_back()
            self._slots.take_back(self._run_id)

        return take_back
