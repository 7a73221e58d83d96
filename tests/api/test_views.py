"""Where states and graphs are looked at: never on the event loop of the API process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live_server import LiveServer, StartServer, poll

PROJECT = Path(__file__).parent.parent / "sample_projects" / "looked_at" / "langgraph.json"


def serve(folder: Path, workers: str) -> Iterator[LiveServer]:
    env = {"RUNYARD_WORKERS": "0"} if workers == "0" else {}
    server = LiveServer(folder / "data", config=PROJECT, args=("--workers", workers), env=env)
    yield server.start()
    server.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    yield from serve(tmp_path_factory.mktemp("one"), "1")


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with everything in one process."""
    yield from serve(tmp_path_factory.mktemp("none"), "0")


@pytest.fixture(params=["server", "single"])
def either(request: pytest.FixtureRequest) -> Any:
    """Each of the two servers."""
    return request.getfixturevalue(request.param)


@pytest.fixture
async def http(either: LiveServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=either.url, timeout=60) as http:
        yield http


async def make_thread(http: httpx.AsyncClient) -> str:
    """The path of a thread with a state."""
    thread = (await http.post("/threads", json={})).json()["thread_id"]
    await http.post(f"/threads/{thread}/runs/wait", json={"assistant_id": "graph", "input": {"text": "x"}})
    return f"/threads/{thread}"


def mapped(pid: int, library: str) -> bool:
    """Whether a process has a library in its memory."""
    return library in Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel which libraries a process has")
async def test_the_api_process_never_imports_langgraph(server: LiveServer) -> None:
    before = {process.pid for process in server.processes()}
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        thread = await make_thread(http)
        assert {process.pid for process in server.processes()} == before, "nobody has looked at anything"
        supersteps = [{"updates": [{"values": {"text": "y"}, "as_node": "note"}]}]
        assistant = (await http.post("/assistants/search", json={})).json()[0]["assistant_id"]
        answers = [
            await http.get(f"{thread}/state"),
            await http.post(f"{thread}/history", json={}),
            await http.post(f"{thread}/state", json={"values": {"text": "z"}}),
            await http.get(f"{thread}/storage"),
            await http.post("/threads", json={"supersteps": supersteps, "metadata": {"graph_id": "graph"}}),
            await http.get(f"/assistants/{assistant}/graph"),
            await http.get(f"/assistants/{assistant}/schemas"),
            await http.get(f"/assistants/{assistant}/subgraphs"),
            await http.post("/threads/prune", json={"thread_ids": [thread[9:]], "strategy": "keep_latest"}),
        ]
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    (viewer,) = {process.pid for process in server.processes()} - before
    assert mapped(viewer, "pydantic_core"), "LangGraph needs it"
    assert not mapped(server.pid, "pydantic_core")


async def test_user_code_that_takes_long_for_a_state_holds_up_nobody_else(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    held, other = await make_thread(http), await make_thread(http)
    gate = tmp_path / "gate"
    edit = asyncio.create_task(http.post(f"{held}/state", json={"values": {"log": [str(gate)]}}))
    await asyncio.sleep(0)

    assert (await http.get("/ok")).json() == {"ok": True, "services": {}}
    for path in (f"{other}/state", f"{held}/state", f"{other}/history"):
        assert (await http.get(path)).status_code == 200
    assert not edit.done()

    gate.touch()
    assert (await edit).status_code == 200
    assert (await http.get(f"{held}/state")).json()["values"]["log"] == ["noted", str(gate)]


async def test_a_large_state_is_answered_whole(http: httpx.AsyncClient) -> None:
    thread = await make_thread(http)
    text = "word " * 700_000
    assert (await http.post(f"{thread}/state", json={"values": {"text": text}})).status_code == 200
    assert (await http.get(f"{thread}/state")).json()["values"]["text"] == text
    selected = await http.get(f"{thread}/state", params={"select": "values.log"})
    assert selected.json() == {"values": {"log": ["noted"]}}


async def test_who_kills_the_process_that_looks_learns_it_and_the_next_is_answered(server: LiveServer) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        thread = await make_thread(http)
        answer = await http.post(f"{thread}/state", json={"values": {"log": ["die"]}})
        assert answer.status_code == 503
        assert "the next request starts another" in answer.json()["detail"]
        assert (await http.get(f"{thread}/state")).json()["values"]["log"] == ["noted"]


async def test_the_process_that_looks_ends_with_its_server(start_server: StartServer) -> None:
    server = start_server(config=PROJECT, args=("--workers", "1"))
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        assert (await http.get(f"{await make_thread(http)}/state")).status_code == 200
    server.kill()
    poll(lambda: not server.processes())


async def test_the_lag_of_the_loop_is_measured(either: LiveServer, http: httpx.AsyncClient) -> None:
    assert "runyard_loop_lag_seconds_bucket" in (await http.get("/metrics")).text
