"""Runs that take longer than they may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client

from tests.gate import UNHELD, Gate
from tests.live_server import LiveServer

ERROR = {
    "error": "TimeoutError",
    "message": "The run was stopped: it took longer than 0.5 s (RUNYARD_RUN_TIMEOUT).",
}


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that gives a run half a second."""
    server = LiveServer(tmp_path_factory.mktemp("hasty") / "data", env={"RUNYARD_RUN_TIMEOUT": "0.5"})
    yield server.start()
    server.close()


@pytest.fixture
def client(hasty: LiveServer) -> Any:
    return get_client(url=hasty.url)


async def ended(client: Any, thread: str) -> Any:
    """The only run of the thread."""
    (run,) = await client.runs.list(thread)
    return run


@pytest.mark.parametrize("graph", ["gated", "waiting"])
async def test_a_run_that_is_stopped_keeps_what_it_reached(client: Any, gate: Gate, graph: str) -> None:
    thread = (await client.threads.create())["thread_id"]
    answer = await client.runs.wait(thread, graph, input=gate.input(), raise_error=False)
    assert answer == {"__error__": ERROR}
    run = await ended(client, thread)
    assert run["status"] == "timeout"
    assert await client.runs.join(thread, run["run_id"]) == {"__error__": ERROR}
    found = await client.threads.get(thread)
    assert (found["status"], found["error"]) == ("error", ERROR)
    assert found["values"]["log"] == ["x in"]
    assert (await client.threads.get_state(thread))["next"] == ["hold" if graph == "gated" else "wait"]


@pytest.mark.parametrize("graph", ["stuck", "deaf"])
async def test_code_that_cannot_be_stopped_does_not_keep_its_run_alive(client: Any, gate: Gate, graph: str) -> None:
    thread = (await client.threads.create())["thread_id"]
    answer = await client.runs.wait(thread, graph, input=gate.input(), raise_error=False)
    assert answer == {"__error__": ERROR}
    assert (await ended(client, thread))["status"] == "timeout"
    assert (await client.threads.get(thread))["status"] == "error"
    gate.open()
    await client.runs.wait(thread, "gated", input=UNHELD)
    assert (await client.threads.get(thread))["values"]["log"] == ["x in", "x out"], "what it did later is dropped"


@pytest.mark.parametrize("graph", ["gated", "stuck"])
async def test_a_stream_tells_that_the_time_was_over(client: Any, gate: Gate, graph: str) -> None:
    parts = [part async for part in client.runs.stream(None, graph, input=gate.input(), stream_mode="updates")]
    assert [part.data for part in parts if part.event == "error"] == [ERROR]
    assert parts[-1].event == "error"


async def test_a_quick_run_is_left_alone(client: Any) -> None:
    assert (await client.runs.wait(None, "chain", input={"n": 1}))["n"] == 112


async def test_the_official_name_of_the_setting_holds_too(tmp_path: Path, gate: Gate) -> None:
    env = {"BG_JOB_TIMEOUT_SECS": "0.5"}
    server = LiveServer(tmp_path / "data", args=("--workers", "0"), env=env)
    try:
        client = get_client(url=server.start().url)
        answer = await client.runs.wait(None, "gated", input=gate.input(), raise_error=False)
        assert answer == {"__error__": ERROR}
    finally:
        server.close()
