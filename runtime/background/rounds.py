"""What loops without end tell of themselves: when they last went round, and what failed."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import Literal

from runyard.runtime.errors import RunyardError, StorageUnavailable

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.5
"""Seconds after a round that failed; doubled while rounds fail, up to `LONGEST_PAUSE`."""
LONGEST_PAUSE = 5.0
LATE_AFTER = 30.0
"""Seconds that a round may take, or rounds may fail, before the loop counts as late."""
TOLD_AGAIN = 30.0
"""Seconds after which it is told again that storage is away: all loops of a process find that out again and again."""


class Rounds:
    """One loop's account of itself. All methods may be called in any thread."""

    def __init__(
        self, name: str, told: dict[str, float] | None = None, *, longest_pause: float = LONGEST_PAUSE
    ) -> None:
        """`told`: what loops have told of storage, and when; they share it."""
        self.name = name
        self._told = {} if told is None else told
        self._longest_pause = longest_pause
        self._due = time.monotonic()
        self._failures = 0
        self._without_storage = False
        self._ended = False

    def begin(self) -> None:
        """A round begins."""
        if not self._failures:
            self._due = time.monotonic()

    def wait(self) -> None:
        """The loop waits for something to do."""
        self._due = math.inf

    def rest(self, seconds: float) -> None:
        """A round is over, and the next begins in so many seconds."""
        if self._without_storage:
            self._without_storage = False
            if self._told:  # by whichever loop; the first that gets on tells of the end, too
                self._told.clear()
                logger.warning("%s: storage can be used again", self.name)
        self._failures = 0
        self._due = time.monotonic() + seconds

    def failed(self, error: BaseException) -> float:
        """A round has raised an error, which is logged. Returns the seconds until the next."""
        pause = min(self._longest_pause, FIRST_PAUSE * 2.0 ** min(self._failures, 10))
        if isinstance(error, RunyardError):
            self._without_storage |= isinstance(error, StorageUnavailable)
            level = logging.DEBUG if isinstance(error, StorageUnavailable) and self._is_told(error) else logging.ERROR
            logger.log(level, "%s: %s; trying again", self.name, error.detail)
        else:
            logger.error("%s failed; trying again", self.name, exc_info=error)
        if not self._failures and math.isinf(self._due):
            self._due = time.monotonic()
        self._failures += 1  # the date stays: a loop that fails for long is late
        return pause

    def _is_told(self, error: StorageUnavailable) -> bool:
        now = time.monotonic()
        if now - self._told.get(error.detail, -math.inf) < TOLD_AGAIN:
            return True
        for detail in [detail for detail, moment in self._told.items() if now - moment >= TOLD_AGAIN]:
            del self._told[detail]
        self._told[error.detail] = now
        return False

    def end(self) -> None:
        """The loop has ended, and nobody has asked it to."""
        self._ended = True

    def state(self) -> LoopState:
        """How the loop is."""
        if self._ended:
            return LoopState(self.name, "ended", math.inf)
        late = time.monotonic() - self._due
        return LoopState(self.name, "late" if late > LATE_AFTER else "running", max(0.0, late))


@dataclass(frozen=True, slots=True)
class LoopState:
    """How a loop is: `late` for so many seconds, `ended` for good, or `running` as it should."""

    name: str
    state: Literal["running", "late", "ended"]
    late: float


class Loops:
    """The loops of one process that have to go round."""

    def __init__(self) -> None:
        self._rounds: list[Rounds] = []
        self._told: dict[str, float] = {}

    def add(self, name: str, *, longest_pause: float = LONGEST_PAUSE) -> Rounds:
        """The account of a loop that begins. `longest_pause`: seconds at most after rounds that failed."""
        rounds = Rounds(name, self._told, longest_pause=longest_pause)
        self._rounds.append(rounds)
        return rounds

    def remove(self, rounds: Rounds) -> None:
        """The loop is ended on purpose."""
        if rounds in self._rounds:
            self._rounds.remove(rounds)

    def states(self) -> list[LoopState]:
        """How each of them is."""
        return [rounds.state() for rounds in list(self._rounds)]
