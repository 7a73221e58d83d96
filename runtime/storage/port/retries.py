"""How often a run whose graph raises is tried again, and when."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """A try is one execution that a run's graph itself brought to an end; an attempt is a claim. A run that is tried
    again has not ended: it is pending until its next try, and goes on from its last checkpoint.

    tries: the most tries of the run, the first included.
    initial_interval, backoff_factor, max_interval: seconds between the first two tries, by what they grow with each,
        and their limit. Up to half of each pause is left out by chance, so that runs that failed together do not come
        back together.
    errors: names of exception classes, bare (`TimeoutError`) or with their module, that are worth another try; those of
        their subclasses too. None: the errors that are likely to pass.
    """

    tries: int
    initial_interval: float = 1.0
    backoff_factor: float = 2.0
    max_interval: float = 300.0
    errors: tuple[str, ...] | None = None

    def pause(self, failed: int) -> float:
        """Seconds from the end of a run's `failed`th try (from 1) to the next."""
        try:
            whole = min(self.max_interval, self.initial_interval * self.backoff_factor ** (failed - 1))
        except OverflowError:
            whole = self.max_interval
        return whole * random.uniform(0.5, 1.0)
