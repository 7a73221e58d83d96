"""A machine that sleeps: no timer is due when it wakes up, but others have gone on."""

from __future__ import annotations

import time

import pytest

COUNTS_SLEEP = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SleepingMachine:
    """This one, as if it slept when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._slept = 0.0
        self._read = time.clock_gettime
        monkeypatch.setattr(time, "clock_gettime", self._clock_gettime)

    def sleep(self, seconds: float) -> None:
        """For so long; takes no time."""
        self._slept += seconds

    def _clock_gettime(self, clock: int) -> float:
        return self._read(clock) + (self._slept if clock == COUNTS_SLEEP else 0.0)
