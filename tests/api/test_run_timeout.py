"""Runs that take longer than they may."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client

from tests.gate import UNHELD, Gate
from tests.live_server import LiveServer

SECONDS = 2.0
"""Enough for a busy machine to get runs to where they wait. The runs of a test spend it together."""


def error_after(seconds: float) -> dict[str, str]:
    message = f"The run was stopped: it took longer than {seconds:g} s (RUNYARD_RUN_TIMEOUT)."
    return {"error": "TimeoutError", "message": message}


ERROR = error_after(SECONDS)


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that gives a run little time."""
    server = LiveServer(tmp_path_factory.mktemp("hasty") / "data", env={"RUNYARD_RUN_TIMEOUT": str(SECONDS)})
    yield server.start()
    server.close()


@pytest.fixture
def client(hasty: LiveServer) -> Any:
    return get_client(url=hasty.url)


async def ended(client: Any, thread: str) -> Any:
    """The only run of the thread."""
    (run,) = await client.runs.list(thread)
    return run


async def test_a_run_that_is_stopped_keeps_what_it_reached(client: Any, gate: Gate) -> None:
    async def stop_one(graph: str) -> None:
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

    await asyncio.gather(stop_one("gated"), stop_one("waiting"))


async def test_code_that_cannot_be_stopped_does_not_keep_its_run_alive(client: Any, gate: Gate) -> None:
    async def time_out(graph: str) -> str:
        thread: str = (await client.threads.create())["thread_id"]
        answer = await client.runs.wait(thread, graph, input=gate.input(), raise_error=False)
        assert answer == {"__error__": ERROR}
        assert (await ended(client, thread))["status"] == "timeout"
        assert (await client.threads.get(thread))["status"] == "error"
        return thread

    threads = await asyncio.gather(time_out("stuck"), time_out("deaf"))
    gate.open()
    for thread in threads:
        await client.runs.wait(thread, "gated", input=UNHELD)
        values = (await client.threads.get(thread))["values"]
        assert values["log"] == ["x in", "x out"], "what it did later is dropped"


async def test_a_stream_tells_that_the_time_was_over(client: Any, gate: Gate) -> None:
    async def read(graph: str) -> None:
        parts = [part async for part in client.runs.stream(None, graph, input=gate.input(), stream_mode="updates")]
        assert [part.data for part in parts if part.event == "error"] == [ERROR]
        assert parts[-1].event == "error"

    await asyncio.gather(read("gated"), read("stuck"))


async def test_a_quick_run_is_left_alone(client: Any) -> None:
    assert (await client.runs.wait(None, "chain", input={"n": 1}))["n"] == 112


async def test_the_official_name_of_the_setting_holds_too(tmp_path: Path, gate: Gate) -> None:
    env = {"BG_JOB_TIMEOUT_SECS": "0.5"}
    server = LiveServer(tmp_path / "data", args=("--workers", "0"), env=env)
    try:
        client = get_client(url=server.start().url)
        answer = await client.runs.wait(None, "gated", input=gate.input(), raise_error=False)
        assert answer == {"__error__": error_after(0.5)}
    finally:
        server.close()
