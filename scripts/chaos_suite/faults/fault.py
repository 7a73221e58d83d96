"""What a fault is, and what it may use."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from scripts.chaos_suite.target import Target
from scripts.chaos_suite.timing import LEASE_SECONDS


@dataclass(frozen=True, slots=True)
class Scene:
    """deaths: when which processes were killed; a fault adds those that it kills."""

    target: Target
    rng: Random
    deaths: dict[int, float] = field(default_factory=dict)

    def while_(self, leases: float, least: float = 0.5) -> float:
        """Waits for some seconds, so many leases at the most, and says how many."""
        seconds = self.rng.uniform(least, leases * LEASE_SECONDS)
        time.sleep(seconds)
        return seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """strike: returns when it is over, and says what it did to whom. missing: why it is not possible here; None when it
    is. holds: see FaultStory."""

    strike: Callable[[Scene], str]
    weight: int = 2
    holds: bool = False
    usual: bool = True
    """Whether it strikes without being asked for."""
    missing: Callable[[Scene], str | None] = lambda scene: None

    @property
    def about(self) -> str:
        return (self.strike.__doc__ or "").splitlines()[0]


Faults = Mapping[str, Fault]
