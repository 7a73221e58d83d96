"""Threads whose latest run ended without its worker show what it had reached."""

from runyard.runtime.maintenance.duty import MORE_TO_DO, RECHECK_INTERVAL
from runyard.runtime.services.thread_states import ThreadStates

THREADS_PER_STEP = 20
"""Fewer than rows elsewhere: each state is read from its checkpoints."""


class UnsettledThreads:
    """Reads the states of such threads, which takes LangGraph and the project's graphs, and writes them."""

    def __init__(self, states: ThreadStates) -> None:
        self._states = states

    async def perform(self) -> float:
        """At once again when there may be more."""
        looked_at = await self._states.settle(THREADS_PER_STEP)
        return RECHECK_INTERVAL if looked_at < THREADS_PER_STEP else MORE_TO_DO
