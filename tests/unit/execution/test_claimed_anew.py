"""A run that others have taken back, and its worker does not know: it claims the run anew while it still executes it,
or gets the answer to its claim late."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.bus.messages import Cancel, Wake
from runyard.runtime.execution.executor import Executor
from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.workers import HeartbeatResult
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.gate import Gate

from .one_worker import new_run, working


class Executions:
    """What becomes of the attempts that a worker executes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: asyncio.Queue[int] = asyncio.Queue()
        self.over: asyncio.Queue[int] = asyncio.Queue()
        execute = Executor.execute

        async def noted(executor: Executor, execution: Any) -> Any:
            attempt = execution.leased.lease.attempt
            self.begun.put_nowait(attempt)
            try:
                return await execute(executor, execution)
            finally:
                self.over.put_nowait(attempt)

        monkeypatch.setattr(Executor, "execute", noted)


async def test_the_earlier_attempt_is_stopped(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def heartbeat(*_: object, **__: object) -> HeartbeatResult:
        return HeartbeatResult({}, [])  # it is not told what it has lost

    monkeypatch.setattr(storage.workers, "heartbeat", heartbeat)
    executions, gate = Executions(monkeypatch), Gate(tmp_path / "gate")
    async with asyncio.timeout(60), working(storage, graphs, tmp_path) as heard:
        run = new_run("gated", input=gate.input())
        await storage.runs.insert(Scope.everything(), [run])
        heard.tell(Wake())
        assert await executions.begun.get() == 1
        await storage.workers.reap("worker", max_attempts=3, crashed=False)
        heard.tell(Wake())
        assert await executions.over.get() == 1
        assert await executions.begun.get() == 2
        gate.open()
        assert (await heard.end_of(run.run_id)).status == "success"
        assert await executions.over.get() == 2


async def test_an_attempt_that_is_lost_before_it_begins_never_does(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What earlier attempts have streamed is read first, and that may take long."""
    executions, last = Executions(monkeypatch), storage.events.last
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def held_up(run_id: str) -> int:
        reading.set()
        await go_on.wait()
        return await last(run_id)

    async with asyncio.timeout(60), working(storage, graphs, tmp_path) as heard:
        run = replace(new_run("chain"), resumable=True)
        await storage.runs.insert(Scope.everything(), [run])
        assert await storage.queue.claim("another", limit=1, interactive=1)
        await storage.workers.reap("another", max_attempts=3)
        monkeypatch.setattr(storage.events, "last", held_up)
        heard.tell(Wake())
        await reading.wait()
        heard.tell(Cancel(run.run_id, "lost"))
        go_on.set()
    assert executions.begun.empty()


async def test_what_was_claimed_longer_ago_than_a_lease_is_begun_only_if_it_is_still_held(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker was stopped between its claim and the answer."""
    executions, lease, claim = Executions(monkeypatch), 0.2, storage.queue.claim
    late = iter(["lost", "held"])

    async def answered_late(worker: str, **asked: Any) -> Any:
        claimed = await claim(worker, **asked)
        if claimed and (became := next(late, None)):
            if became == "lost":
                await storage.workers.reap(worker, max_attempts=3, crashed=False)
            await asyncio.sleep(lease)
        return claimed

    monkeypatch.setattr(storage.queue, "claim", answered_late)
    async with asyncio.timeout(30), working(storage, graphs, tmp_path, lease_seconds=lease) as heard:
        run = new_run("chain")
        await storage.runs.insert(Scope.everything(), [run])
        for _ in range(2):
            heard.tell(Wake())
            await asyncio.sleep(0)
        assert await executions.begun.get() == 2
        assert (await heard.end_of(run.run_id)).status == "success"
