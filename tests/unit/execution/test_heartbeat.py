"""A worker beats on, whatever becomes of its beats: silence is what it would be given up for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from runyard.runtime.background.boot_clock import seconds_since_boot
from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import Unavailable
from runyard.runtime.execution.heartbeat import HeartbeatThread, Held
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.workers import HeartbeatResult
from tests.unit.sleeping_machine import SleepingMachine

INTERVAL = 0.01


class FullDisk:
    """Refuses all beats; `enough` is set when so many have come."""

    def __init__(self, beats: int) -> None:
        self._left = beats
        self.enough = threading.Event()

    async def heartbeat(self, worker: str, held: object, *, claiming: bool) -> Any:
        self._left -= 1
        if self._left == 0:
            self.enough.set()
        raise Unavailable("the disk is full")

    def lease_ends(self, worker: str) -> float | None:
        return None


class LostDatabase:
    """Swallows all beats; the lease of the worker runs out a moment after its first."""

    def __init__(self, *, lease: float = 0.02) -> None:
        self._ends = seconds_since_boot() + lease

    async def heartbeat(self, worker: str, held: object, *, claiming: bool) -> Any:
        await asyncio.Event().wait()

    def lease_ends(self, worker: str) -> float | None:
        return self._ends


def test_beats_that_are_refused_come_as_often_as_others() -> None:
    disk: Any = FullDisk(beats=12)  # after 12 pauses that grow, and begin with half a second, it would be a minute
    heartbeat = HeartbeatThread(
        disk, "w", interval=INTERVAL, held=lambda: Held([], False), answered=lambda *answer: None, loops=Loops()
    )
    heartbeat.start()
    assert disk.enough.wait(60)
    heartbeat.stop()


@pytest.mark.parametrize("claiming", [False, True])
def test_a_worker_whose_lease_runs_out_without_an_answer_gives_its_runs_up(
    monkeypatch: pytest.MonkeyPatch, claiming: bool
) -> None:
    monkeypatch.setattr("runyard.runtime.execution.heartbeat.LAST_WAIT", INTERVAL)
    database: Any = LostDatabase()
    lease, told = Lease(7, "w", 1, 1, "run", "thread"), threading.Event()
    answers: list[HeartbeatResult] = []

    def answered(answer: HeartbeatResult, leases: Sequence[Lease]) -> None:
        answers.append(answer)
        told.set()

    heartbeat = HeartbeatThread(
        database, "w", interval=INTERVAL, held=lambda: Held([lease], claiming), answered=answered, loops=Loops()
    )
    heartbeat.start()
    assert told.wait(60)
    heartbeat.stop()
    assert answers[0] == HeartbeatResult({}, [lease.seq])


class StoppedMachine:
    """Holds this whole process up in the middle of a beat, until long after the lease; the next beat is answered."""

    def __init__(self) -> None:
        self._began = seconds_since_boot()
        self.beats = 0

    async def heartbeat(self, worker: str, held: object, *, claiming: bool) -> HeartbeatResult:
        self.beats += 1
        if self.beats == 1:
            time.sleep(0.4)  # noqa: ASYNC251 - what is tested is that time passes in which nothing of this process runs
            await asyncio.Event().wait()
        return HeartbeatResult({}, [])

    def lease_ends(self, worker: str) -> float | None:
        return self._began + 0.02


class LateMachine(StoppedMachine):
    """So loaded that no beat is ever in time."""

    async def heartbeat(self, worker: str, held: object, *, claiming: bool) -> HeartbeatResult:
        self.beats = 0
        return await super().heartbeat(worker, held, claiming=claiming)


def test_a_process_that_is_always_late_gives_its_runs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runyard.runtime.execution.heartbeat.LAST_WAIT", 0.1)
    monkeypatch.setattr("runyard.runtime.execution.heartbeat.LATE", 0.1)
    machine: Any = LateMachine()
    told = threading.Event()
    answers: list[HeartbeatResult] = []

    def answered(answer: HeartbeatResult, leases: Sequence[Lease]) -> None:
        answers.append(answer)
        told.set()

    leases = [Lease(7, "w", 1, 1, "run", "thread")]
    heartbeat = HeartbeatThread(
        machine, "w", interval=INTERVAL, held=lambda: Held(leases, False), answered=answered, loops=Loops()
    )
    heartbeat.start()
    in_time = told.wait(20)
    machine.heartbeat = FullDisk(beats=1).heartbeat  # so that it ends
    heartbeat.stop()
    assert in_time
    assert answers[0] == HeartbeatResult({}, [7])


def test_a_process_that_was_stopped_in_a_beat_asks_what_became_of_its_runs_before_it_gives_them_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runyard.runtime.execution.heartbeat.LAST_WAIT", 0.1)
    monkeypatch.setattr("runyard.runtime.execution.heartbeat.LATE", 0.1)
    machine: Any = StoppedMachine()
    told = threading.Event()
    answers: list[HeartbeatResult] = []

    def answered(answer: HeartbeatResult, leases: Sequence[Lease]) -> None:
        answers.append(answer)
        told.set()

    leases = [Lease(7, "w", 1, 1, "run", "thread")]
    heartbeat = HeartbeatThread(
        machine, "w", interval=INTERVAL, held=lambda: Held(leases, False), answered=answered, loops=Loops()
    )
    heartbeat.start()
    assert told.wait(60)
    heartbeat.stop()
    assert answers[0] == HeartbeatResult({}, [])


def test_a_worker_is_in_doubt_of_its_runs_when_its_machine_has_slept_for_longer_than_its_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = SleepingMachine(monkeypatch)
    database: Any = LostDatabase(lease=300)
    lease = Lease(7, "w", 1, 1, "run", "thread")
    heartbeat = HeartbeatThread(
        database, "w", interval=1, held=lambda: Held([lease], False), answered=lambda *answer: None, loops=Loops()
    )
    before = heartbeat.is_in_doubt()
    machine.sleep(301)
    assert (before, heartbeat.is_in_doubt()) == (False, True)
