"""What runs that speak the thread event protocol tell when they are made again, stopped or rolled back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import ormsgpack

from runyard.runtime.bus.messages import Cancel, FollowThread, RunEvents, Wake
from runyard.runtime.execution.protocol_told import Told
from runyard.runtime.graphs.encoding import to_json
from runyard.runtime.graphs.registry import Graphs
from runyard.runtime.scope import Scope
from runyard.runtime.storage.port.events import NewEvents
from runyard.runtime.storage.port.runs import RunRef
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from runyard.runtime.streams.protocol_events import event_name, event_params
from tests.unit.graph_runner import GraphRunner

from .one_worker import working
from .protocol_runs import data_of, new_thread, said_on, speaking_run
from .told_runs import HELLO


async def test_a_run_that_was_cancelled_before_it_began_is_interrupted(storage: SqliteStorage) -> None:
    storage.open(maintain=False)
    thread_id = await new_thread(storage)
    run = speaking_run("chain", thread_id, input={"n": 1})
    await storage.runs.insert(Scope.everything(), [run])
    await storage.runs.cancel(Scope.everything(), [RunRef(thread_id, run.run_id)], "interrupt")
    assert data_of(await said_on(storage, thread_id), "lifecycle") == [{"event": "interrupted", "graph_name": "chain"}]
    storage.close()


async def test_a_later_attempt_says_nothing_again_and_ends_what_was_left_open(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path
) -> None:
    storage.open(maintain=False)
    thread_id = await new_thread(storage)
    run = speaking_run("subgraphed", thread_id, input={**HELLO, "ask": True})
    await storage.runs.insert(Scope.everything(), [run])
    (leased,) = await storage.queue.claim("worker that dies", limit=1, interactive=1)
    left: list[tuple[str, tuple[str, ...], Any]] = [
        ("lifecycle", (), {"event": "running", "graph_name": "subgraphed"}),
        ("lifecycle", ("lost:1",), {"event": "started", "graph_name": "lost"}),
        ("messages", ("lost:1",), {"event": "message-start", "role": "ai", "id": "whole"}),
        ("messages", ("lost:1",), {"event": "message-finish"}),
        ("messages", ("lost:1",), {"event": "message-start", "role": "ai", "id": "half"}),
    ]
    packed = [(event_name(channel, where), event_params(where, 0, to_json(data))) for channel, where, data in left]
    await storage.events.append(leased.lease, [NewEvents(len(packed), ormsgpack.packb(packed))])
    await storage.queue.release(leased.lease, [])
    storage.close()
    storage = SqliteStorage(tmp_path / "runyard.db")
    async with working(storage, graphs, tmp_path) as heard:
        assert (await heard.end_of(run.run_id)).status == "success"
        said = await said_on(storage, thread_id)
    assert data_of(said, "lifecycle", []) == [
        {"event": "running", "graph_name": "subgraphed"},
        {"event": "interrupted", "graph_name": "subgraphed"},
    ]
    assert [each["event"] for each in data_of(said, "messages", ["lost:1"])][-1] == "error"
    assert data_of(said, "lifecycle", ["lost:1"])[-1] == {"event": "completed", "graph_name": "lost"}


async def test_a_question_that_was_told_is_not_told_by_the_next_attempt(
    graph_runner: GraphRunner,
) -> None:
    run = graph_runner.new_run("two_asks", input={}, protocol=True, streaming=True)
    await graph_runner.execute(run)
    asked = [data["data"]["interrupt_id"] for name, data in graph_runner.events if name.startswith("protocol:input\n")]
    assert len(asked) == 2
    again = replace(run, attempt=2, told=Told(running=True, asked={asked[0]}))
    await graph_runner.execute(again)
    told = [data["data"]["interrupt_id"] for name, data in graph_runner.events if name.startswith("protocol:input\n")]
    assert told == asked[1:]


async def test_a_run_that_is_stopped_ends_what_it_has_begun_to_tell(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path
) -> None:
    async with working(storage, graphs, tmp_path) as heard:
        thread_id = await new_thread(storage)
        run = speaking_run("speechless", thread_id, input=HELLO)
        await storage.runs.insert(Scope.everything(), [run])
        heard.tell(FollowThread(thread_id))
        heard.tell(Wake())
        while not any("messages\n" in name for name, _ in (await heard.next(RunEvents)).events):
            pass
        await storage.runs.cancel(Scope.everything(), [RunRef(thread_id, run.run_id)], "interrupt")
        heard.tell(Cancel(run.run_id, "interrupt"))
        assert (await heard.end_of(run.run_id)).status == "interrupted"
        said = await said_on(storage, thread_id)
    (child,) = {tuple(each["params"]["namespace"]) for each in said if each["params"]["namespace"]}
    assert data_of(said, "messages", [*child])[-1] == {"event": "error", "message": "The run was stopped."}
    assert [each["event"] for each in data_of(said, "lifecycle")] == [
        *("running", "started"),
        *("interrupted", "interrupted"),
    ]


async def test_a_run_that_was_rolled_back_has_ended_at_that_time(
    storage: SqliteStorage, graphs: Graphs, tmp_path: Path
) -> None:
    async with working(storage, graphs, tmp_path) as heard:
        thread_id = await new_thread(storage)
        run = speaking_run("speechless", thread_id, input=HELLO)
        await storage.runs.insert(Scope.everything(), [run])
        heard.tell(FollowThread(thread_id))
        heard.tell(Wake())
        told = await heard.next(RunEvents)
        await storage.runs.cancel(Scope.everything(), [RunRef(thread_id, run.run_id)], "rollback")
        heard.tell(Cancel(run.run_id, "rollback"))
        await heard.end_of(run.run_id)
        (end,) = await said_on(storage, thread_id)
    began = json.loads(told.events[0][1])["timestamp"]
    assert end["params"]["data"] == {"event": "interrupted"}
    assert end["params"]["timestamp"] >= began - 1
