"""The loops of maintenance outlive what fails in them."""

from __future__ import annotations

import asyncio

import pytest

from runyard.runtime.background import rounds
from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import Unavailable
from runyard.runtime.maintenance.maintenance import Maintenance


class Failing:
    """A duty that fails at its first step and has something to say at its second."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error
        self.performed = asyncio.Event()

    async def perform(self) -> float:
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.performed.set()
        return 60.0


@pytest.mark.parametrize("error", [Unavailable("the disk is full"), ZeroDivisionError("a defect")])
async def test_a_duty_that_failed_is_performed_again(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "FIRST_PAUSE", 0.0)
    duty = Failing(error)
    loops = Maintenance([duty], Loops())
    loops.start()
    try:
        await asyncio.wait_for(duty.performed.wait(), 60)
    finally:
        await loops.stop()
