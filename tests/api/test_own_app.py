"""A project's own application around the interface: one server, asked by stock clients, browsers and WebSockets."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.live_server import LiveServer, StartServer, poll

CONFIG = Path(__file__).parents[1] / "sample_projects" / "own_app" / "langgraph.json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path_factory.mktemp("own_app") / "data", config=CONFIG, args=("--workers", "1"))
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture
def client(server: LiveServer) -> LangGraphClient:
    return get_client(url=server.url, api_key=None)


async def test_the_application_and_the_stock_client_share_a_server(server: LiveServer, client: LangGraphClient) -> None:
    assert server.get("/hello") == {"opened": "by the lifespan", "row": "row"}
    assert "Front end" in server.http.get(f"{server.url}/").text
    thread = await client.threads.create()
    values = await client.runs.wait(thread["thread_id"], "agent", input={"text": "hi"})
    assert values == {"text": "hi!"}
    events = [part.event async for part in client.runs.stream(None, "agent", input={"text": "hi"})]
    assert events == ["metadata", "values", "values"]
    assert server.http.get(f"{server.url}/threads/{thread['thread_id']}").headers["x-app"] == "own"


async def follow(
    client: LangGraphClient, transport: Literal["sse", "websocket"], headers: dict[str, str] | None = None
) -> Any:
    """What a run comes to, followed by the thread event protocol."""
    following = client.threads.stream(assistant_id="agent", transport=transport, headers=headers)
    async with asyncio.timeout(60), following as thread:
        await thread.run.start(input={"text": "hi"})
        return await thread.output


@pytest.mark.parametrize("transport", ["sse", "websocket"])
async def test_the_event_protocol_goes_through_the_application(
    client: LangGraphClient, transport: Literal["sse", "websocket"]
) -> None:
    assert await follow(client, transport) == {"text": "hi!"}


async def test_nodes_find_what_the_lifespan_opens(server: LiveServer, client: LangGraphClient) -> None:
    (worker,) = server.workers()
    values = await client.runs.wait(None, "pooled", input={})
    assert values == {"row": "row", "pool_of": worker, "pid": worker}


def test_web_sockets_are_the_applications(server: LiveServer) -> None:
    with connect(f"{server.url.replace('http', 'ws')}/echo") as socket:
        for text in ("one", "two" * 1000):
            socket.send(text)
            assert socket.recv() == f"by the lifespan: {text}"


def test_a_mistake_in_a_route_is_logged_and_stays_there(server: LiveServer) -> None:
    answer = server.http.get(f"{server.url}/broken")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    # The answer comes first.
    assert poll(lambda: "ZeroDivisionError: a mistake in the application" in server.log.read_text())
    assert "http.app (./app.py:app): GET /broken failed" in server.log.read_text()
    assert server.get("/ok")["ok"] is True


async def test_routes_that_block_their_threads_hold_up_no_operation(
    server: LiveServer, client: LangGraphClient
) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=httpx.Limits(max_connections=100)) as http:
        held = [asyncio.create_task(http.get("/held")) for _ in range(60)]
        thread = await client.threads.create()
        assert await client.runs.wait(thread["thread_id"], "agent", input={"text": "hi"}) == {"text": "hi!"}
        assert (await http.get("/guides/serve")).status_code == 200
        assert (await http.get("/ok?check_db=1")).status_code == 200
        assert (await client.assistants.get_schemas((await client.assistants.search())[0]["assistant_id"]))["graph_id"]
        assert not any(task.done() for task in held)
        await http.post("/let-go")
        assert {(await task).json() for task in held} == {"let go"}


def test_a_route_that_blocks_the_event_loop_is_seen_in_the_metrics(server: LiveServer) -> None:
    def late() -> float:
        found = re.search(r"^runyard_loop_lag_seconds_sum (\S+)$", server.http.get(f"{server.url}/metrics").text, re.M)
        assert found is not None
        return float(found[1])

    before = late()
    assert server.get("/blocking?seconds=0.6") == "blocked"
    assert late() - before > 0.3


async def test_it_lies_below_a_path_and_asks_who_it_is(start_server: StartServer) -> None:
    server = start_server(config=CONFIG.with_name("guarded.json"), args=("--workers", "1"))
    assert server.url.endswith("/api/v1")
    assert server.http.get(f"{server.url.removesuffix('/api/v1')}/ok").json()["ok"] is True
    for path in ("/whoami", f"/threads/{uuid.uuid4()}", "/nowhere"):
        refused = server.http.get(f"{server.url}{path}")
        assert (refused.status_code, refused.json()) == (401, {"detail": "Whose token is that?"})
        assert "x-app" not in refused.headers  # before the middleware
    ann = {"authorization": "Bearer ann"}
    assert server.http.get(f"{server.url}/whoami", headers=ann).json() == {"user": "ann", "assistants": 2}
    client = get_client(url=server.url, api_key=None, headers=ann)
    thread = await client.threads.create()
    assert await client.runs.wait(thread["thread_id"], "agent", input={"text": "hi"}) == {"text": "hi!"}
    run = await client.runs.create(thread["thread_id"], "agent", input={"text": "ho"})
    assert await client.runs.join(thread["thread_id"], run["run_id"]) == {"text": "ho!"}
    assert await follow(client, "websocket", ann) == {"text": "hi!"}
    # Code of a run reaches both by a client without a URL, for whom the run is.
    assert await client.runs.wait(None, "asking", input={}) == {"user": "ann", "assistants": 2}
    address = f"{server.url.replace('http', 'ws')}/echo"
    with connect(address, additional_headers=ann) as socket:
        socket.send("one")
        assert socket.recv() == "by the lifespan: one"
        socket.send("how many assistants?")  # which it asks its own server
        assert socket.recv() == "by the lifespan: 2"
    with pytest.raises(InvalidStatus):
        connect(address)


@pytest.mark.parametrize(
    "mode", ["worker", pytest.param("no lifespan in workers", marks=pytest.mark.full), "one process"]
)
def test_every_process_that_needs_the_lifespan_enters_and_leaves_it_once(
    start_server: StartServer, tmp_path: Path, mode: str
) -> None:
    log = tmp_path / "lifespans"
    env = {"LIFESPAN_LOG": str(log), "RUNYARD_APP_IN_WORKERS": "false" if mode == "no lifespan in workers" else ""}
    args = ("--workers", "0" if mode == "one process" else "1")
    server = start_server(config=CONFIG, args=args, env=env)
    found = server.post("/runs/wait", {"assistant_id": "pooled", "input": {}})
    if mode == "no lifespan in workers":
        assert "the lifespan has not opened the pool" in found["__error__"]["message"]
    else:
        assert found["pid"] == found["pool_of"]
    processes = {server.pid, *(server.workers() if mode == "worker" else ())}
    assert server.stop() == 0
    noted = [line.split() for line in log.read_text().splitlines()]
    for what in ("entered", "left"):
        assert sorted(int(pid) for said, pid in noted if said == what) == sorted(processes)
