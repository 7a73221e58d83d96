"""The clock by which leases run out: nobody sets it, and it counts the sleep of the machine, in which others take runs
back."""

from __future__ import annotations

import time

# Linux has one of its own that counts sleep; elsewhere the monotonic one does.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def seconds_since_boot() -> float:
    """Seconds since the machine's start, or another moment that stays the same until it stops. To be compared with
    other moments by this clock alone, within one process."""
    return time.clock_gettime(_CLOCK)
