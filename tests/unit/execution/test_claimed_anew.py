"""A run that a worker claims while it still executes it: others have taken it back, and it does not know."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.bus.messages import Wake
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
