"""What keeps a process without encryption from writing where encryption may have begun."""

from __future__ import annotations

import pytest

from runyard.runtime.background.boot_clock import seconds_since_boot
from runyard.runtime.storage.postgres.database.plain_fence import PlainFence
from runyard.runtime.storage.postgres.database.target import Target
from tests.unit.sleeping_machine import SleepingMachine


def test_it_is_closed_when_the_machine_has_slept_for_longer_than_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = SleepingMachine(monkeypatch)
    fence = PlainFence(Target.parse("postgresql://localhost/test"))
    fence.plain(seconds_since_boot() + 300)
    before = fence.closed
    machine.sleep(301)
    assert (before, fence.closed) == (False, True)
