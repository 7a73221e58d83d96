"""Silence is proof of death only while others are heard."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.background.rounds import Loops
from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.config.settings import Settings
from runyard.runtime.errors import Unavailable
from runyard.runtime.processes.signs_of_life import SignsOfLife
from runyard.runtime.storage.port.workers import KnownWorker, WorkerState

SAMPLES = Path(__file__).parents[2] / "sample_graphs"


class FakeTime:
    """A monotonic clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class FakeWorkers:
    """Workers that beat, or not, and a database that takes writes, or not."""

    def __init__(self) -> None:
        self.beats = {"silent": 1, "loud": 1}
        self.writes = "through"
        self.probes = 0
        self.foreign: list[str] = []
        self.ended = ""
        self.evicted: list[str] = []

    async def known(self) -> Sequence[KnownWorker]:
        self.beats["loud"] += 1
        return [KnownWorker(name, seen) for name, seen in self.beats.items()]

    async def alive(self) -> dict[str, WorkerState]:
        states: dict[str, WorkerState] = dict.fromkeys({*self.beats, *self.foreign} - {self.ended}, "running")
        return states

    async def evict(self, worker: str) -> bool:
        self.evicted.append(worker)
        return worker in self.foreign

    async def probe(self) -> None:
        self.probes += 1
        if self.writes == "refused":
            raise Unavailable("the disk is full")
        if self.writes == "stalled":
            await asyncio.Event().wait()


class FakeProcess:
    def __init__(self, name: str) -> None:
        self.name = name
        self.killed = False

    def kill(self) -> None:
        self.killed = True


class FakeProcesses:
    def __init__(self) -> None:
        self.there = {name: FakeProcess(name) for name in ("silent", "loud")}

    def __contains__(self, name: str) -> bool:
        return name in self.there

    def all(self) -> list[FakeProcess]:
        return list(self.there.values())


class FakeDead:
    """Takes down who is said to be dead."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def add(self, name: str) -> None:
        self.names.add(name)


class Scene:
    """Looks at two workers, one of them silent, with leases of 10 seconds."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time, self.workers, self.processes = FakeTime(), FakeWorkers(), FakeProcesses()
        monkeypatch.setattr("runyard.runtime.processes.signs_of_life.time", self.time)
        monkeypatch.setattr("runyard.runtime.processes.signs_of_life.QUICK", 0.02)
        settings = Settings(project=load_project(SAMPLES), data_dir=folder, lease_seconds=10.0)
        self.dead = FakeDead()
        parts: Any = (settings, self.workers, self.processes, self.dead, Loops())
        self.signs = SignsOfLife(*parts)

    async def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.time.now += 1.0
            await self.signs._look()

    @property
    def killed(self) -> list[str]:
        return [process.name for process in self.processes.all() if process.killed]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


async def test_a_worker_that_is_silent_while_writes_get_through_is_given_up(scene: Scene) -> None:
    await scene.pass_time(15)
    assert scene.killed == []
    await scene.pass_time(15)
    assert scene.killed == ["silent"]


@pytest.mark.parametrize("writes", ["refused", "stalled"])
async def test_nobody_is_given_up_while_writes_do_not_get_through(scene: Scene, writes: str) -> None:
    scene.workers.writes = writes
    await scene.pass_time(100)
    assert scene.killed == []
    assert writes == "refused" or scene.workers.probes == 1, "a write that stalls is waited for"
    await scene.signs.stop()


async def test_a_beat_after_a_stall_is_a_sign_of_life(scene: Scene) -> None:
    scene.workers.writes = "refused"
    await scene.pass_time(100)
    scene.workers.writes = "through"
    await scene.pass_time(5)
    scene.workers.beats["silent"] += 1
    await scene.pass_time(15)
    assert scene.killed == []


async def test_time_in_which_nobody_looked_does_not_count(scene: Scene) -> None:
    """The machine slept, or this process was stopped."""
    await scene.pass_time(3)
    scene.time.now += 3600.0
    await scene.pass_time(3)
    assert scene.killed == []


async def test_a_clock_that_is_set_back_kills_nobody(scene: Scene) -> None:
    for _ in range(40):
        scene.workers.beats["silent"] -= 3_600_000_000
        await scene.pass_time(1)
    assert scene.killed == []


@pytest.mark.parametrize("found", [True, False])
async def test_a_silent_worker_of_another_server_is_ended_through_the_backend(scene: Scene, found: bool) -> None:
    scene.workers.beats["foreign"] = 1
    scene.workers.foreign = ["foreign"] if found else []
    await scene.pass_time(20)
    assert "foreign" not in scene.workers.evicted
    await scene.pass_time(10)
    assert "foreign" in scene.workers.evicted
    assert ("foreign" in scene.dead.names) != found, "its runs are taken back when its end is seen, or nothing can be"


async def test_a_known_worker_of_another_server_that_is_not_alive_is_dead(scene: Scene) -> None:
    scene.workers.beats["foreign"] = 1
    await scene.pass_time(1)
    assert scene.dead.names == set()
    scene.workers.ended = "foreign"
    await scene.pass_time(1)
    assert scene.dead.names == {"foreign"}
