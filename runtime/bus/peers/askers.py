"""Which server process is to be told of a run because it was to follow it when the run was written."""

import math
from dataclasses import dataclass

ANSWER_TIME = 2.0
"""Seconds for which all are told of a run while nobody says that it follows it."""
FORGOTTEN_AFTER = 600.0
"""Seconds without a word of a run."""


@dataclass(slots=True)
class _Asker:
    """`peer` None: nobody has said so yet."""

    since: float
    used: float
    peer: str | None = None


class Askers:
    """A run's row does not name the process, so the first that workers say of a run is told to all; the one that it
    concerns answers, and the rest is told to it alone. Times are those of a monotonic clock."""

    def __init__(self) -> None:
        self._known: dict[str, _Asker] = {}

    def of(self, run_id: str, now: float) -> str:
        """Who is to be told what happens in the run: a process, "all" or "nobody"."""
        asker = self._known.get(run_id)
        if asker is None:
            asker = self._known[run_id] = _Asker(now, now)
        asker.used = now
        if asker.peer is not None:
            return asker.peer
        return "all" if now - asker.since <= ANSWER_TIME else "nobody"

    def ended(self, run_id: str) -> str:
        """Who is to be told of the end of the run, a process or "all"; nothing more is said of it."""
        asker = self._known.pop(run_id, None)
        return "all" if asker is None or asker.peer is None else asker.peer

    def answered(self, run_id: str, peer: str) -> None:
        """That process follows the run."""
        if run_id in self._known:
            self._known[run_id].peer = peer

    def left(self, run_id: str, peer: str) -> None:
        """That process does not follow the run any more."""
        asker = self._known.get(run_id)
        if asker is not None and asker.peer == peer:
            self._known[run_id] = _Asker(-math.inf, asker.used)

    def tidy(self, now: float) -> None:
        """Forgets runs of which nothing was said for long: their worker has died."""
        for run_id in [run_id for run_id, asker in self._known.items() if now - asker.used > FORGOTTEN_AFTER]:
            del self._known[run_id]
