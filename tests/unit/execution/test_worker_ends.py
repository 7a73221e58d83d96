"""The end of a run that cannot be recorded: it costs an attempt, and the attempts are counted."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.bus.messages import (
    Flush,
    Flushed,
    Follow,
    RunEvents,
    Wake,
    Welcome,
)
from runyard.runtime.errors import StorageUnavailable, Unavailable
from runyard.runtime.execution import unrecorded
from runyard.runtime.execution.executor import Executor
from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.processes.event_loop import new_event_loop
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.runs import Interest
from runyard.runtime.storage.sqlite.storage import SqliteStorage

from .one_worker import new_run, working


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unrecorded, "ATTEMPT_PAUSE", 0.01)


class Refusal:
    """Counts the calls of a method that it replaces, and raises instead."""

    def __init__(self, error: Exception, *, times: int = 1000) -> None:
        self.calls = 0
        self._error = error
        self._times = times

    def replace(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        before = getattr(owner, name)

        async def refuse(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls > self._times:
                return await before(*args, **kwargs)
            raise self._error

        monkeypatch.setattr(owner, name, refuse)


@pytest.mark.parametrize(
    "error",
    [
        AttributeError("'Interrupt' object has no attribute 'x'"),
        Unavailable("no room on the disk"),
        OverflowError("big"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_end_that_cannot_be_recorded_is_tried_three_times_and_then_an_error(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    refusal = Refusal(error)
    refusal.replace(monkeypatch, storage.queue, "finish")
    async with working(storage, graphs, tmp_path) as heard:
        run = new_run("chain")
        await storage.runs.insert(Scope.everything(), [run])
        heard_of = await heard.end_of(run.run_id)
        assert heard_of.status == "error"
        (ended,) = await storage.runs.ended(Scope.everything(), [run.run_id])
        assert ended.status == "error"
        assert json.loads(ended.answer)["__error__"] == {"error": type(error).__name__, "message": str(error)}
        thread = await storage.threads.get(Scope.everything(), run.thread_id)
        assert thread is not None
        assert thread.status == "error"
    assert refusal.calls == 3


async def test_an_end_that_is_recorded_at_the_second_attempt_is_the_runs_own(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Refusal(Unavailable("no room"), times=1).replace(monkeypatch, storage.queue, "finish")
    async with working(storage, graphs, tmp_path) as heard:
        run = new_run("chain")
        await storage.runs.insert(Scope.everything(), [run])
        assert (await heard.end_of(run.run_id)).status == "success"


async def test_while_nothing_can_be_written_nothing_is_executed_again(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, give_back = Refusal(Unavailable("no room"), times=1), Refusal(Unavailable("no room"), times=20)
    finish.replace(monkeypatch, storage.queue, "finish")
    give_back.replace(monkeypatch, storage.workers, "fail_attempt")
    async with working(storage, graphs, tmp_path) as heard:
        run = new_run("chain")
        await storage.runs.insert(Scope.everything(), [run])
        assert (await heard.end_of(run.run_id)).status == "success"
    assert (give_back.calls, finish.calls) == (21, 2)


async def test_a_run_that_cannot_even_be_prepared_ends(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise TypeError("not prepared")

    monkeypatch.setattr(Executor, "prepare", refuse)
    async with working(storage, graphs, tmp_path) as heard:
        run = new_run("chain")
        await storage.runs.insert(Scope.everything(), [run])
        assert (await heard.end_of(run.run_id)).status == "error"


async def test_nothing_is_claimed_before_the_server_has_said_what_is_followed(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path
) -> None:
    async with working(storage, graphs, tmp_path, welcome=False) as heard:
        run = new_run("chain", stream_mode=["values"])
        await storage.runs.insert(Scope.everything(), [run])
        heard.tell(Wake())
        heard.tell(Flush(1))
        assert (await heard.next(Flushed)).number == 1
        (depth,) = [await storage.queue.depth()]
        assert (depth.ready, depth.running) == (1, 0)
        heard.tell(Follow(run.run_id, int(Interest.EVENTS)))
        heard.tell(Welcome())
        sent = await heard.next(RunEvents)
        assert sent.run_id == run.run_id
        assert sent.events[0][0] == "metadata"
        await heard.end_of(run.run_id)


def test_a_resumable_run_that_cancels_all_its_tasks_ends_with_an_error(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path
) -> None:
    """What stores its events is among them."""

    async def status() -> str:
        async with asyncio.timeout(60), working(storage, graphs, tmp_path) as heard:
            run = replace(new_run("hostile", input={"deed": "cancel all tasks"}), resumable=True)
            await storage.runs.insert(Scope.everything(), [run])
            heard.tell(Wake())
            return (await heard.end_of(run.run_id)).status

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        assert runner.run(status()) == "error"


async def test_a_worker_that_is_stopped_while_storage_is_away_ends_in_order(
    storage: SqliteStorage,
    graphs: Graphs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with working(storage, graphs, tmp_path):
        Refusal(StorageUnavailable("the database is away")).replace(monkeypatch, storage.workers, "reap")
    assert "the database is away; a server takes back what it has left" in caplog.text
