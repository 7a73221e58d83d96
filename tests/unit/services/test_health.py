"""When the server says that it is not well."""

from __future__ import annotations

import time

import pytest

from runyard.runtime.background.rounds import LATE_AFTER, Loops
from runyard.runtime.errors import Unavailable
from runyard.runtime.services.health import WITHOUT_WORKERS, Health


class FakeWorkers:
    """Workers that have been missing for so many seconds."""

    def __init__(self, missing: float | None) -> None:
        self._since = None if missing is None else time.monotonic() - missing

    def pids(self) -> list[int]:
        return []

    def none_since(self) -> float | None:
        return self._since


@pytest.mark.parametrize("missing", [None, 0.0, WITHOUT_WORKERS / 2])
def test_a_start_and_the_replacement_of_a_worker_are_no_fault(missing: float | None) -> None:
    Health(Loops(), FakeWorkers(missing), 2).check()


def test_a_server_without_workers_for_long_is_not_well() -> None:
    with pytest.raises(Unavailable, match="0 of 2 are ready"):
        Health(Loops(), FakeWorkers(WITHOUT_WORKERS + 1), 2).check()


def test_a_loop_that_ended_or_is_late_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    loops = Loops()
    loops.add("maintenance").end()
    loops.add("webhooks").begin()
    later = time.monotonic() + LATE_AFTER + 1
    monkeypatch.setattr("time.monotonic", lambda: later)
    with pytest.raises(Unavailable, match=r"has ended: maintenance.* late: webhooks"):
        Health(loops, FakeWorkers(None), 2).check()
