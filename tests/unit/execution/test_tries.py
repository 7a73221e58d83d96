"""A run whose graph raises, in a worker: it is tried again where it stands, as its batch says, or it ends."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from runyard.runtime.bus.messages import Ended, RunEvents, Wake
from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.retries import RetryPolicy
from runyard.runtime.storage.port.runs import Interest, NewBatch, NewRun, RunRef
from runyard.runtime.storage.sqlite.storage import SqliteStorage

from .one_worker import Heard, new_run, working

AT_ONCE = RetryPolicy(tries=3, initial_interval=0.0)


def flaky(calls: Path, *, temporary: bool = False, interest: Interest = Interest.ANSWER, **state: Any) -> NewRun:
    run = new_run("flaky", input={"calls": str(calls), **state}, temporary=temporary)
    changes = {"temporary": temporary, "interest": interest}
    return NewRun(**{name: changes.get(name, getattr(run, name)) for name in NewRun.__slots__})


async def end_of(storage: SqliteStorage, heard: Heard, run: NewRun, policy: RetryPolicy | None) -> tuple[Ended, Any]:
    """Has the run executed, with as many tries as it is given; the word of its end, and what it answers."""
    batch = NewBatch(batch_id=str(uuid.uuid4()), retry=None if policy is None else asdict(policy))
    await storage.runs.insert(Scope.everything(), [run], batch)
    end = asyncio.create_task(heard.end_of(run.run_id))
    while not end.done():
        await storage.queue.make_due(10)
        heard.tell(Wake())
        await asyncio.wait({end}, timeout=0.01)
    (result,) = await storage.runs.ended(Scope.everything(), [run.run_id])
    assert result.status == end.result().status
    return end.result(), json.loads(result.answer)


@pytest.mark.parametrize("temporary", [False, True])
async def test_another_try_goes_on_from_the_last_checkpoint(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path, temporary: bool
) -> None:
    async with working(storage, graphs, tmp_path / "data") as heard:
        run = flaky(tmp_path / "calls", fails=2, temporary=temporary)
        ended, answer = await end_of(storage, heard, run, AT_ONCE)
    assert ended.status == "success"
    assert answer["log"] == ["1 begin", "3 go on"]
    assert (tmp_path / "calls").read_text().splitlines() == ["begin", "go on", "go on", "go on"]


async def test_the_last_try_that_fails_is_the_end(storage: SqliteStorage, graphs: Graphs, tmp_path: Path) -> None:
    async with working(storage, graphs, tmp_path / "data") as heard:
        ended, answer = await end_of(storage, heard, flaky(tmp_path / "calls", fails=9), AT_ONCE)
    assert ended.status == "error"
    assert answer == {"__error__": {"error": "Busy", "message": "3 go on"}}


@pytest.mark.parametrize(
    ("policy", "error"),
    [
        (None, "Busy"),
        (AT_ONCE, "ValueError"),
        (RetryPolicy(tries=3, initial_interval=0.0, errors=("OSError",)), "Busy"),
    ],
)
async def test_an_error_that_the_policy_does_not_name_is_the_end(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path, policy: RetryPolicy | None, error: str
) -> None:
    async with working(storage, graphs, tmp_path / "data") as heard:
        ended, answer = await end_of(storage, heard, flaky(tmp_path / "calls", error=error), policy)
    assert ended.status == "error"
    assert answer["__error__"]["error"] == error


@pytest.mark.parametrize("fails", [1, 9])
async def test_who_follows_a_run_hears_of_an_error_only_when_it_is_the_end(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path, fails: int
) -> None:
    names: list[str] = []
    async with working(storage, graphs, tmp_path / "data") as heard:
        heard.also(RunEvents, lambda said: names.extend(name for name, _ in said.events))
        run = flaky(tmp_path / "calls", fails=fails, interest=Interest.EVENTS)
        await end_of(storage, heard, run, RetryPolicy(tries=2, initial_interval=0.0))
    assert names.count("metadata") == 2
    assert names.count("error") == (fails > 1)


async def test_a_run_that_is_cancelled_between_two_tries_ends_and_is_not_executed_again(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path
) -> None:
    run = flaky(tmp_path / "calls", fails=9)
    batch = NewBatch(batch_id=str(uuid.uuid4()), retry={"tries": 3, "initial_interval": 3600.0, "max_interval": 3600.0})
    async with working(storage, graphs, tmp_path / "data"):
        await storage.runs.insert(Scope.everything(), [run], batch)
        async with asyncio.timeout(60):
            while not (await storage.queue.depth()).delayed:  # noqa: ASYNC110 - the worker has no word for it
                await asyncio.sleep(0.005)
        cancelled = await storage.runs.cancel(Scope.everything(), [RunRef(run.thread_id, run.run_id)], "interrupt")
        assert cancelled.ended == [run.run_id]
        (result,) = await storage.runs.ended(Scope.everything(), [run.run_id])
    assert result.status == "interrupted"
    assert (tmp_path / "calls").read_text().splitlines() == ["begin", "go on"]
