"""A worker that was stopped until its lease had run out, with its nodes in the middle of something: others may have its
runs, so nothing of them goes on before it has heard what became of them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest

from runyard.runtime.background.boot_clock import seconds_since_boot
from runyard.runtime.bus.messages import Wake
from runyard.runtime.config.langgraph_json import load_project
from runyard.runtime.execution import heartbeat, lease_guard, worker
from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.processes.event_loop import new_event_loop
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.queue import Lease
from runyard.runtime.storage.port.workers import HeartbeatResult
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.crash.step_log import PROJECT, StepLog
from tests.unit.sleeping_machine import SleepingMachine

from .one_worker import new_run, working


class Suspension:
    """As if the machine slept: the worker's loop does nothing, its lease runs out, and what it asks is answered after.
    `became`: what it hears of its runs; None: nothing until the `end`."""

    def __init__(
        self, storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch, *, became: Literal["lost", "held"] | None
    ) -> None:
        self._became = became
        self._machine = SleepingMachine(monkeypatch)
        self._ends = seconds_since_boot() + 500
        self._slept = False
        self._answering, self._over = threading.Event(), threading.Event()
        monkeypatch.setattr(storage.workers, "heartbeat", self._heartbeat)
        monkeypatch.setattr(storage.workers, "lease_ends", lambda worker: self._ends)

    def pass_by(self) -> None:
        """Blocks the event loop, while the timers of nodes and of the worker become due."""
        self._slept = True
        self._machine.sleep(1000)
        time.sleep(0.8)  # what is tested is that time passes
        self._answering.set()

    def end(self) -> None:
        """Lets the worker come to its end."""
        self._over.set()

    async def _heartbeat(self, worker: str, held: Sequence[Lease], *, claiming: bool) -> HeartbeatResult:
        if not self._slept:
            return HeartbeatResult({}, [])
        (self._over if self._became is None else self._answering).wait(60)
        time.sleep(0.2)  # noqa: ASYNC251 - the answer takes its time, in which the loop may go on
        self._ends = float("inf")
        return HeartbeatResult({}, [lease.seq for lease in held] if self._became == "lost" else [])


@pytest.fixture(autouse=True)
def _interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of looks at the lease, so long that those are due behind the nodes."""
    monkeypatch.setattr(worker, "BEAT", 0.6)
    monkeypatch.setattr(heartbeat, "LAST_WAIT", 20.0)


async def suspended(storage: SqliteStorage, folder: Path, begun: str, suspension: Suspension) -> list[str]:
    """What the steps of a run log from when their worker wakes up, until one was stopped or all have ended. The worker
    is stopped when a step has `begun`."""
    log = StepLog(folder / "steps")
    graphs = Graphs(load_project(PROJECT))
    graphs.load(strict=False)
    async with asyncio.timeout(60), working(storage, graphs, folder) as heard:
        run = new_run("logged", input={"step_log": str(log.path), "steps": 1, "delay": 0.5})
        await storage.runs.insert(Scope.everything(), [run])
        heard.tell(Wake())
        while not any(f" {begun} " in line for line in log.lines()):  # noqa: ASYNC110 - it is a file
            await asyncio.sleep(0.005)
        try:
            suspension.pass_by()
            seen = len(log.lines())
            while not {"stop", "right end"} & {*said(log, 0)}:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.3)  # in which steps would follow
            return said(log, seen)
        finally:
            suspension.end()


def said(log: StepLog, since: int) -> list[str]:
    lines = [line.split() for line in log.lines()[since:]]
    return ["stop" if line[-1] == "stop" else f"{line[2]} {line[-1]}" for line in lines]


@pytest.mark.parametrize("begun", ["0", "right"], ids=["one node", "two at once"])
def test_nodes_that_wake_up_when_their_run_was_taken_do_nothing_more(
    storage: SqliteStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: str
) -> None:
    suspension = Suspension(storage, monkeypatch, became="lost")
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        assert {*runner.run(suspended(storage, tmp_path, begun, suspension))} == {"stop"}


def test_nodes_that_wake_up_in_a_worker_that_hears_nothing_of_its_runs_do_nothing_more(
    storage: SqliteStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its heartbeat does not come to its turn, so there is no answer however long the loop is held up."""
    monkeypatch.setattr(lease_guard, "LONGEST_HOLD", 0.2)
    suspension = Suspension(storage, monkeypatch, became=None)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        assert {*runner.run(suspended(storage, tmp_path, "0", suspension))} == {"stop"}


def test_nodes_that_wake_up_and_still_have_their_run_go_on(
    storage: SqliteStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspension = Suspension(storage, monkeypatch, became="held")
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        heard = runner.run(suspended(storage, tmp_path, "0", suspension))
    assert sorted(heard) == ["0 end", "left end", "left start", "right end", "right start"]
