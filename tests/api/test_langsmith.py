"""Runs are traced to the place in LangSmith that their client names."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph.pregel.remote import RemoteGraph
from langsmith import Client, tracing_context
from langsmith.run_trees import RunTree

from tests.langsmith_listener import LangSmithListener
from tests.live_server import PROJECT, LiveServer, poll

EXAMPLE = "c6f87718-6d76-407e-881e-d162ae2eb154"
NAMED = {"project_name": "comparisons", "example_id": EXAMPLE}
OPERATIONS = ["/runs", "/runs/wait", "/runs/stream", "/runs/batch", "/t/runs", "/t/runs/wait", "/t/runs/stream"]

CONTINUING = """
import contextlib
import langsmith
from typing import TypedDict
from langgraph.graph import START, StateGraph

class State(TypedDict, total=False):
    n: int

graph = StateGraph(State).add_node("work", lambda state: {"n": 1}).add_edge(START, "work").compile()

@contextlib.contextmanager
def make(config):
    said = config["configurable"]
    with langsmith.tracing_context(
        parent=said.get("langsmith-trace"), project_name=said.get("langsmith-project"), tags=said.get("langsmith-tags")
    ):
        yield graph
"""
"""A graph that continues the trace of its caller, as LangSmith's documentation has it."""


@pytest.fixture(scope="module")
def langsmith() -> Iterator[LangSmithListener]:
    listener = LangSmithListener()
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def server(langsmith: LangSmithListener, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = traced_server(tmp_path_factory.mktemp("langsmith"), langsmith)
    yield server
    server.close()


def traced_server(folder: Path, langsmith: LangSmithListener) -> LiveServer:
    """A server whose project does not turn tracing off, as that of most tests does."""
    config = folder / "langgraph.json"
    (folder / "continuing.py").write_text(CONTINUING)
    graphs = {"chain": f"{PROJECT.parent}/steps.py:chain", "continuing": "./continuing.py:make"}
    config.write_text(json.dumps({"graphs": graphs}))
    return LiveServer(folder / "data", config=config, args=("--workers", "1"), env=langsmith.env).start()


def run(server: LiveServer, operation: str, **fields: Any) -> str:
    """Makes a run by `operation`, in which /t is a new thread, and returns its id."""
    body: Any = {"assistant_id": "chain", "input": {"n": 1}, **fields}
    if operation.startswith("/t/"):
        operation = operation.replace("/t", f"/threads/{server.post('/threads', {})['thread_id']}", 1)
    answer = server.http.post(f"{server.url}{operation}", json=[body] if operation == "/runs/batch" else body)
    answer.raise_for_status()
    if operation == "/runs/batch":
        return str(answer.json()[0]["run_id"])
    return answer.headers["content-location"].rpartition("/")[2]


def traces(langsmith: LangSmithListener) -> list[dict[str, Any]]:
    return [{"parent_run_id": None, **each} for each in [*langsmith.traced.values()]]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_run_is_traced_to_its_project_and_example(
    server: LiveServer, langsmith: LangSmithListener, operation: str
) -> None:
    trace = langsmith.trace_of(run(server, operation, langsmith_tracer=NAMED))
    assert (trace["session_name"], trace["reference_example_id"]) == ("comparisons", EXAMPLE)
    nodes = [each for each in traces(langsmith) if each.get("parent_run_id") == trace["id"]]
    assert {node["session_name"] for node in nodes} <= {"comparisons"}


async def test_a_graph_continues_the_trace_of_a_remote_graph(server: LiveServer, langsmith: LangSmithListener) -> None:
    caller = RunTree(name="caller", ls_client=Client(api_url=langsmith.url, api_key="a-key"))
    remote = RemoteGraph("continuing", url=server.url, api_key="", distributed_tracing=True)
    with tracing_context(parent=caller, enabled=True):
        assert await remote.ainvoke({"n": 0}) == {"n": 1}
    poll(lambda: any(each["parent_run_id"] == str(caller.id) for each in traces(langsmith)))


def test_the_runs_of_a_cron_are_traced_where_it_says(server: LiveServer, langsmith: LangSmithListener) -> None:
    cron = {"assistant_id": "chain", "schedule": "* * * * * *", "input": {"n": 1}}
    made = server.post("/runs/crons", {**cron, "langsmith_tracer": {"project_name": "of a cron"}})
    try:
        poll(lambda: any(each["session_name"] == "of a cron" for each in traces(langsmith)))
    finally:
        server.http.delete(f"{server.url}/runs/crons/{made['cron_id']}")


@pytest.mark.parametrize(
    ("named", "project", "example"),
    [
        (None, "of the environment", None),
        ({}, "of the environment", None),
        ({"project_name": None, "example_id": None}, "of the environment", None),
        ({"project_name": "only"}, "only", None),
        ({"example_id": EXAMPLE}, "of the environment", EXAMPLE),
    ],
)
def test_what_a_client_does_not_name_is_as_the_environment_says(
    server: LiveServer, langsmith: LangSmithListener, named: Any, project: str, example: str | None
) -> None:
    trace = langsmith.trace_of(run(server, "/runs/wait", langsmith_tracer=named))
    assert (trace["session_name"], trace.get("reference_example_id")) == (project, example)


def test_the_last_traces_are_sent_before_a_server_ends(langsmith: LangSmithListener, tmp_path: Path) -> None:
    server = traced_server(tmp_path, langsmith)
    langsmith.answering.clear()  # so that nothing is sent while it serves
    try:
        made = run(server, "/runs/wait", langsmith_tracer=NAMED)
        os.kill(server.pid, signal.SIGTERM)
        poll(lambda: not is_listening(server))
        langsmith.answering.set()
        poll(lambda: not server.alive)
    finally:
        langsmith.answering.set()
        server.close()
    assert made in langsmith.ended


def is_listening(server: LiveServer) -> bool:
    try:
        return server.http.get(f"{server.url}/ok").is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("operation", ["/runs", "/runs/batch", "/runs/wait", "/runs/crons", "/t/runs", "/t/runs/crons"])
@pytest.mark.parametrize(
    ("named", "place"),
    [({"example_id": "no id"}, "example_id"), ({"project_name": 5}, "project_name"), ("p", "langsmith_tracer")],
)
async def test_a_place_that_cannot_be_traced_to_is_refused(
    http: httpx.AsyncClient, thread: str, operation: str, named: Any, place: str
) -> None:
    body: Any = {"assistant_id": "chain", "schedule": "0 0 1 1 *", "langsmith_tracer": named}
    path = operation.replace("/t", f"/threads/{thread}", 1) if operation.startswith("/t/") else operation
    answer = await http.post(path, json=[body] if operation == "/runs/batch" else body)
    assert answer.status_code == 422
    assert place in answer.json()["detail"]
