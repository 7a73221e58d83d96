"""Performs all maintenance duties, each in a loop of its own."""

from __future__ import annotations

from collections.abc import Sequence

from runyard.runtime.background.loops import BackgroundLoop
from runyard.runtime.background.rounds import Loops
from runyard.runtime.maintenance.duty import Duty


class Maintenance:
    """Runs in the API process."""

    def __init__(self, duties: Sequence[Duty], loops: Loops) -> None:
        self._loops = {
            duty: BackgroundLoop(f"maintenance: {type(duty).__name__}", duty.perform, loops) for duty in duties
        }

    def start(self) -> None:
        """Begins at once."""
        for loop in self._loops.values():
            loop.start()

    def wake(self, duty: Duty) -> None:
        """Has a duty performed now, since there may be something to do before the date that it knows of."""
        self._loops[duty].wake()

    async def stop(self) -> None:
        """Ends all loops; a step that is under way is cut, its transaction is whole or not at all."""
        for loop in self._loops.values():
            await loop.stop()
