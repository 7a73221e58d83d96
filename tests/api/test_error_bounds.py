"""An exception's text is bounded wherever it goes, and still says what happened; the log tells where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_client

from tests.live_server import LiveServer, poll
from tests.webhook_listener import WebhookListener

GRAPHS = """
import asyncio
import logging
from typing import Any

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    kind: str


def fail_long(state: State) -> Any:
    logging.getLogger("project").warning("about to fail: %s", "y" * 3_000_000)
    raise ValueError("begins here " + "x" * 3_000_000 + " and ends here")


async def fail_in_group(state: State) -> Any:
    async def leaf() -> None:
        raise LookupError("the leaf's text")

    async with asyncio.TaskGroup() as group:
        group.create_task(leaf())


def make_never(config: dict) -> Any:
    raise ExceptionGroup("many", [ValueError("why " + "z" * 3_000_000)])


long = StateGraph(State).add_node(fail_long).add_edge(START, "fail_long").compile()
grouped = StateGraph(State).add_node(fail_in_group).add_edge(START, "fail_in_group").compile()
"""

SOME_KB = 10_000
"""Characters of one error text at most, with what surrounds it."""


@pytest.fixture(scope="module", params=["2", "0"], ids=["workers", "in-process"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "failing_graphs.py").write_text(GRAPHS)
    names = {"long": "long", "grouped": "grouped", "never": "make_never"}
    config = {
        "graphs": {graph: f"./failing_graphs.py:{name}" for graph, name in names.items()},
        "webhooks": {"url": {"require_https": False, "disable_loopback": False}},
    }
    (folder / "langgraph.json").write_text(json.dumps(config))
    server = LiveServer(
        folder / "data",
        config=folder / "langgraph.json",
        args=("--workers", request.param),
        env={"RUNYARD_LOG_FORMAT": "json", "LANGSMITH_TRACING": "false"},
    )
    try:
        yield server.start()
    finally:
        server.close()


def entries(log: Path, run_id: str) -> list[dict[str, Any]]:
    """What the server has logged about a run."""
    lines = log.read_text().rpartition("\n")[0].splitlines()  # the last one may still be written
    return [entry for entry in map(json.loads, lines) if entry["run_id"] == run_id]


def is_useful(text: str) -> bool:
    return len(text) < SOME_KB and all(said in text for said in ("begins here", "characters left out", "and ends here"))


async def test_a_long_error_is_cut_for_every_client(server: LiveServer, listener: WebhookListener) -> None:
    client = get_client(url=server.url, api_key=None)
    thread = (await client.threads.create())["thread_id"]

    parts = [
        part
        async for part in client.runs.stream(
            thread, "long", input={}, stream_mode=["values", "tasks", "debug", "events"], webhook=listener.url
        )
    ]
    (error,) = [part.data for part in parts if part.event == "error"]
    assert error["error"] == "ValueError"
    assert is_useful(error["message"])
    assert all(len(json.dumps(part.data)) < 3 * SOME_KB for part in parts)

    (run,) = await client.runs.list(thread)
    joined = server.get(f"/threads/{thread}/runs/{run['run_id']}/join")
    assert is_useful(joined["__error__"]["message"])
    told = await listener.receive()
    assert is_useful(told["error"]["message"] if isinstance(told["error"], dict) else told["error"])
    assert len(json.dumps(told)) < 3 * SOME_KB
    assert is_useful(json.dumps(server.get(f"/threads/{thread}").get("error")))
    (task,) = (await client.threads.get_state(thread))["tasks"]
    assert is_useful(str(task["error"]))


async def test_the_log_has_one_entry_for_a_failed_run(server: LiveServer) -> None:
    client = get_client(url=server.url, api_key=None)
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(thread, "long", input={})
    logged = poll(lambda: [entry for entry in entries(server.log, run["run_id"]) if entry["exception"]])

    (entry,) = logged
    assert (entry["thread_id"], entry["graph_id"], entry["level"]) == (thread, "long", "ERROR")
    assert is_useful(entry["message"])
    assert entry["worker"]
    where = entry["exception"]
    assert where.index("in fail_long") < where.index("ValueError") < where.index("langgraph/pregel")
    assert len(where) < 2 * SOME_KB


async def test_what_a_node_logs_is_bounded_and_names_its_run(server: LiveServer) -> None:
    client = get_client(url=server.url, api_key=None)
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(thread, "long", input={})
    said = poll(lambda: [entry for entry in entries(server.log, run["run_id"]) if entry["logger"] == "project"])

    assert len(said) == 1
    assert said[0]["thread_id"] == thread
    assert len(said[0]["message"]) < SOME_KB


async def test_a_group_shows_its_first_leaf(server: LiveServer) -> None:
    client = get_client(url=server.url, api_key=None)
    thread = (await client.threads.create())["thread_id"]
    answer: Any = await client.runs.wait(thread, "grouped", input={}, raise_error=False)

    assert answer["__error__"]["error"] == "ExceptionGroup"
    assert "LookupError: the leaf's text" in answer["__error__"]["message"]
    (run,) = await client.runs.list(thread)
    (entry,) = poll(lambda: entries(server.log, run["run_id"]))
    assert "LookupError: the leaf's text" in entry["message"]
    assert "in leaf" in entry["exception"]


async def test_the_drawing_of_a_graph_that_cannot_be_made_says_why(server: LiveServer) -> None:
    answer = server.http.get(f"{server.url}/assistants/never/graph")

    assert answer.status_code == 400
    assert len(answer.text) < SOME_KB
    assert "ValueError: why z" in answer.json()["detail"]
