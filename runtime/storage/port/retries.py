"""How often a run whose graph raises is tried again, and when."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """A try is one execution that a run's graph itself brought to an end; an attempt is a claim. A run that is tried
    again has not ended: it is pending until its next try, and goes on from its last checkpoint.

    tries: the most tries of the run, the first included.
    initial, factor, longest: seconds of the back-off after the first try, by what it grows with each, and its limit.
        Half of each is left to chance, so that runs that failed together do not come back together.
    errors: names of exception classes, bare (`TimeoutError`) or with their module, that are worth another try; those of
        their subclasses too. None: the errors that are likely to pass.
    """

    tries: int
    initial: float = 1.0
    factor: float = 2.0
    longest: float = 60.0
    errors: tuple[str, ...] | None = None

    def pause(self, failed: int) -> float:
        """Seconds from the end of a run's `failed`th try (from 1) to the next."""
        try:
            whole = min(self.longest, self.initial * self.factor ** (failed - 1))
        except OverflowError:
            whole = self.longest
        return whole * random.uniform(0.5, 1.0)
