"""A worker beats on, whatever becomes of its beats: silence is what it would be given up for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from runyard.runtime.background.boot_clock import seconds_since_boot
from runyard.runtime.background.rounds import Loops
from runyard.runtime.errors import Unavailable
from runyard.runtime.execution import heartbeat
from runyard.runtime.execution.heartbeat import HeartbeatThread, Held
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.workers import HeartbeatResult
from tests.unit.sleeping_machine import SleepingMachine

INTERVAL = 0.01
LEASE = Lease(7, "w", 1, 1, "run", "thread")
ONE_RUN = Held([LEASE], claiming=False)
GIVEN_UP = HeartbeatResult({}, [LEASE.seq])


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
    """Swallows all beats; the lease of the worker runs out so many seconds after its first."""

    def __init__(self, *, lease: float = 0.02) -> None:
        self._ends = seconds_since_boot() + lease

    async def heartbeat(self, worker: str, held: object, *, claiming: bool) -> Any:
        await asyncio.Event().wait()

    def lease_ends(self, worker: str) -> float | None:
        return self._ends


class LateRenewal(LostDatabase):
    """Answers, and the lease holds again before anybody has heard that."""

    async def heartbeat(self, worker: str, held: object, *, claiming: bool) -> HeartbeatResult:
        self._ends = seconds_since_boot() + 300
        return HeartbeatResult({}, [])


class StoppedMachine(LostDatabase):
    """Sleeps in the middle of a beat, until long after the lease; the next beat is answered."""

    def __init__(self, machine: SleepingMachine) -> None:
        super().__init__()
        self._machine = machine
        self.beats = 0

    async def heartbeat(self, worker: str, held: object, *, claiming: bool) -> HeartbeatResult:
        self.beats += 1
        if self.beats == 1:
            self._machine.sleep(60)
            await asyncio.Event().wait()
        return HeartbeatResult({}, [])


class LateMachine(StoppedMachine):
    """So loaded that no beat is ever in time."""

    async def heartbeat(self, worker: str, held: object, *, claiming: bool) -> HeartbeatResult:
        self.beats = 0
        return await super().heartbeat(worker, held, claiming=claiming)


def heartbeat_of(
    database: Any, answered: Callable[[HeartbeatResult, Sequence[Lease]], object], *, held: Held = ONE_RUN
) -> HeartbeatThread:
    return HeartbeatThread(database, "w", interval=INTERVAL, held=lambda: held, answered=answered, loops=Loops())


def first_answer(database: Any, *, held: Held = ONE_RUN) -> HeartbeatResult:
    """What the heartbeat of a worker tells it first."""
    answers: list[HeartbeatResult] = []
    told = threading.Event()

    def answered(answer: HeartbeatResult, leases: Sequence[Lease]) -> None:
        answers.append(answer)
        told.set()

    beating = heartbeat_of(database, answered, held=held)
    beating.start()
    in_time = told.wait(60)
    beating.stop()
    assert in_time
    return answers[0]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SleepingMachine:
    return SleepingMachine(monkeypatch)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "LAST_WAIT", 0.1)
    monkeypatch.setattr(heartbeat, "LATE", 0.1)


def test_beats_that_are_refused_come_as_often_as_others() -> None:
    disk = FullDisk(beats=12)  # after 12 pauses that grow, and begin with half a second, it would be a minute
    beating = heartbeat_of(disk, lambda *answer: None, held=Held([], claiming=False))
    beating.start()
    assert disk.enough.wait(60)
    beating.stop()


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("claiming", [False, True])
def test_a_worker_whose_lease_runs_out_without_an_answer_gives_its_runs_up(claiming: bool) -> None:
    assert first_answer(LostDatabase(), held=Held([LEASE], claiming)) == GIVEN_UP


@pytest.mark.usefixtures("_impatient")
def test_a_process_that_is_always_late_gives_its_runs_up(machine: SleepingMachine) -> None:
    assert first_answer(LateMachine(machine)) == GIVEN_UP


@pytest.mark.usefixtures("_impatient")
def test_a_process_that_was_stopped_in_a_beat_asks_what_became_of_its_runs_before_it_gives_them_up(
    machine: SleepingMachine,
) -> None:
    assert first_answer(StoppedMachine(machine)) == HeartbeatResult({}, [])


def test_a_worker_is_in_doubt_of_its_runs_when_its_machine_has_slept_for_longer_than_its_lease(
    machine: SleepingMachine,
) -> None:
    beating = heartbeat_of(LostDatabase(lease=300), lambda *answer: None)
    before = beating.is_in_doubt()
    machine.sleep(301)
    assert (before, beating.is_in_doubt()) == (False, True)


def test_who_waits_in_vain_for_what_became_of_the_runs_gives_them_up_and_is_in_doubt_no_more() -> None:
    answers: list[HeartbeatResult] = []
    beating = heartbeat_of(LostDatabase(lease=-1), lambda answer, leases: answers.append(answer))
    beating.wait_until_told(0.0)  # its own thread has not begun
    assert (answers, beating.is_in_doubt()) == ([GIVEN_UP], False)


def test_a_worker_is_in_doubt_of_runs_that_it_claims_when_it_has_given_up_others() -> None:
    leases = [LEASE]
    beating = heartbeat_of(LostDatabase(lease=-1), lambda *answer: None, held=Held(leases, claiming=False))
    beating.wait_until_told(0.0)
    leases[:] = [Lease(8, "w", 1, 1, "another run", "thread")]
    assert beating.is_in_doubt()


def test_a_worker_without_runs_is_in_no_doubt_while_it_claims() -> None:
    """Where the database is away, a claim is under way all the time, and nobody may wait for it."""
    beating = heartbeat_of(LostDatabase(lease=-1), lambda *answer: None, held=Held([], claiming=True))
    assert not beating.is_in_doubt()


def test_a_worker_is_in_doubt_until_it_has_the_answer() -> None:
    in_doubt: list[bool] = []

    told = threading.Event()

    def answered(*answer: object) -> None:
        in_doubt.append(beating.is_in_doubt())
        told.set()

    beating = heartbeat_of(LateRenewal(lease=-1), answered)
    beating.start()
    assert told.wait(60)
    beating.stop()
    assert (in_doubt[0], beating.is_in_doubt()) == (True, False)
