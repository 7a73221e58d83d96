"""What goes wrong in a run is its outcome; what concerns the caller is raised."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from runyard.runtime.errors import LeaseLost, StorageUnavailable
from runyard.runtime.execution import graph_run, reached_state
from runyard.runtime.execution.graph_outcome import GraphOutcome
from runyard.runtime.execution.graph_run import stopped_graph
from runyard.runtime.lifecycle import CANCELLED
from runyard.runtime.processes.event_loop import new_event_loop, run_despite_exits
from tests.unit.graph_runner import GraphRunner, answer_of, values_of


async def test_a_failure_is_an_error_with_its_text(graph_runner: GraphRunner) -> None:
    outcome = await graph_runner.run("failing", input={})
    said = {"error": "ValueError", "message": "boom from failing graph"}
    assert outcome.status == "error"
    assert answer_of(outcome) == {"__error__": said}
    assert json.loads(outcome.error or b"") == said
    assert values_of(outcome) == {"log": ["first"]}


@pytest.mark.parametrize(
    ("graph_id", "request_", "error"),
    [
        ("chain", {"input": {}, "config": {"recursion_limit": 2}}, "GraphRecursionError"),
        ("chain", {"input": {}, "config": {"recursion_limit": 0}}, "ValueError"),
        ("chain", {"input": None}, "EmptyInputError"),
        ("chain", {"command": {}}, "EmptyInputError"),
        ("chain", {"input": "text"}, "InvalidUpdateError"),
        ("chain", {"command": {"resume": 1}, "checkpointer": None}, "RuntimeError"),
        ("factory", {"input": {}, "config": {"configurable": {"flavour": []}}}, None),
        ("nowhere", {"input": {}}, "NotFound"),
        ("odd", {"input": {"kind": "unspeakable"}}, "Unspeakable"),
        ("odd", {"input": {"kind": "cancelled"}}, "NodeCancelledError"),
    ],
)
async def test_what_can_go_wrong_is_an_outcome(
    graph_runner: GraphRunner, graph_id: str, request_: Any, error: str
) -> None:
    outcome = await graph_runner.run(graph_id, **request_, stream_mode=["values"])
    assert outcome.status == ("error" if error else "success")
    if error:
        assert answer_of(outcome)["__error__"]["error"] == error
        assert graph_runner.event_names[-1] == "error"


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, new_event_loop])
@pytest.mark.parametrize("streaming", [False, True])
def test_an_exit_in_a_node_ends_its_run_alone(graph_runner: GraphRunner, new_loop: Any, streaming: bool) -> None:
    async def main() -> list[GraphOutcome]:
        exiting = (graph_runner.run("exiting", input={}, streaming=streaming) for _ in range(3))
        return await asyncio.gather(graph_runner.run("slow", input={"steps": 3}), *exiting)

    loop = new_loop()
    try:
        slow, *exited = run_despite_exits(main(), loop)
    finally:
        loop.close()
    assert slow.status == "success"
    for outcome in exited:
        assert answer_of(outcome) == {"__error__": {"error": "SystemExit", "message": "3"}}


async def test_a_cancelled_run_raises_and_keeps_its_progress(graph_runner: GraphRunner) -> None:
    task = asyncio.create_task(graph_runner.run("slow", input={"steps": 50}, thread="t6", stream_mode=["updates"]))
    async with asyncio.timeout(60):
        while "updates" not in graph_runner.event_names:  # noqa: ASYNC110 - the events are all there is to see
            await asyncio.sleep(0.01)
    graph_runner.stopped = True
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "error" not in graph_runner.event_names
    # What was done is kept, and can be continued.
    resumed = await graph_runner.run("slow", thread="t6", stream_mode=["values"])
    assert len(answer_of(resumed)["done"]) == 50


async def test_a_node_cannot_hide_its_cancellation(graph_runner: GraphRunner) -> None:
    task = asyncio.create_task(graph_runner.run("odd", input={"kind": "stubborn"}, stream_mode=["values"]))
    await asyncio.sleep(0.1)
    graph_runner.stopped = True
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "error" not in graph_runner.event_names


class LosingSaver(InMemorySaver):
    async def aput(self, *args: Any) -> Any:
        raise LeaseLost("taken over")


async def test_a_lost_lease_is_for_the_caller(graph_runner: GraphRunner) -> None:
    with pytest.raises(LeaseLost):
        await graph_runner.run("chain", input={"n": 1}, checkpointer=LosingSaver(), stream_mode=["values"])
    assert "error" not in graph_runner.event_names


class LonelySaver(InMemorySaver):
    """Whose database is away when a run begins."""

    async def aget_tuple(self, *args: Any) -> Any:
        raise StorageUnavailable("the database cannot be reached")


async def test_a_database_that_is_away_is_for_the_caller(graph_runner: GraphRunner) -> None:
    with pytest.raises(StorageUnavailable):
        await graph_runner.run("chain", input={"n": 1}, checkpointer=LonelySaver(), stream_mode=["values"])
    assert "error" not in graph_runner.event_names


class FailingSaver(InMemorySaver):
    async def aput(self, *args: Any) -> Any:
        raise OSError("disk full")

    async def aget_tuple(self, *args: Any) -> Any:
        raise OSError("disk full")


async def test_a_saver_that_fails_is_an_error_of_the_run(graph_runner: GraphRunner) -> None:
    outcome = await graph_runner.run("chain", input={"n": 1}, checkpointer=FailingSaver())
    assert answer_of(outcome) == {"__error__": {"error": "OSError", "message": "disk full"}}
    assert outcome.values is None


async def test_a_run_whose_task_was_cancelled_by_user_code_has_failed(graph_runner: GraphRunner) -> None:
    task = asyncio.create_task(graph_runner.run("slow", input={"steps": 50}, stream_mode=["updates"]))
    async with asyncio.timeout(60):
        while "updates" not in graph_runner.event_names:  # noqa: ASYNC110 - the events are all there is to see
            await asyncio.sleep(0.01)
    task.cancel()
    outcome = await task
    assert answer_of(outcome)["__error__"]["error"] == "CancelledError"
    assert graph_runner.event_names[-1] == "error"
    assert task.cancelling() == 0


def unreadable(*_: Any) -> bytes:
    raise AttributeError("the state has a form that nobody expected")


async def test_a_state_that_cannot_be_read_hides_neither_error_nor_answer_of(
    graph_runner: GraphRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for reader in (graph_run, reached_state):
        monkeypatch.setattr(reader, "stored_interrupts", unreadable)
    outcome = await graph_runner.run("failing", input={})
    assert answer_of(outcome)["__error__"]["error"] == "ValueError"
    assert (outcome.values, outcome.interrupts) == (None, None), "the thread keeps what it shows"
    asked = await graph_runner.run("interrupting", input={})
    assert asked.status == "error"
    assert answer_of(asked)["__error__"]["error"] == "AttributeError"


@pytest.mark.parametrize(
    "error",
    [RuntimeError("reducer"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()],
    ids=lambda error: type(error).__name__,
)
async def test_a_run_is_stopped_even_if_its_state_or_its_graph_cannot_be_had(
    graph_runner: GraphRunner, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    async def refuse(*_: Any, **__: Any) -> Any:
        raise error

    for owner, name in ((reached_state, "saved_state"), (graph_runner.graphs, "open")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, refuse)
            outcome = await stopped_graph(graph_runner.graphs, graph_runner.new_run("chain"))
        assert outcome.answer == CANCELLED
        assert (outcome.values, outcome.interrupts, outcome.paused) == (None, None, True)
