"""Runs that wait for runs, when something ends in their midst: a worker, the server, the run that waits."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.gate import Gate
from tests.live_server import LiveServer, StartServer, poll
from tests.span_collector import SpanCollector

from .servers import PROJECT


@pytest.fixture
def server(start_server: StartServer) -> LiveServer:
    return start_server(config=PROJECT / "langgraph.json", args=("--workers", "1", "--concurrency", "1"))


def waiting(server: LiveServer, gate: Gate) -> Any:
    """A run that waits for one which the gate holds."""
    asked = {"assistant_id": "caller", "input": {"does": "join", "with_": {"gate": str(gate.path)}}}
    run = server.post("/runs", {**asked, "on_completion": "keep"})
    poll(lambda: server.metrics()["queue"]["running"] == 2)
    return run


def status(server: LiveServer, run: Any) -> Any:
    return server.get(f"/threads/{run['thread_id']}/runs/{run['run_id']}")["status"]


@pytest.mark.full
def test_a_worker_that_is_killed_while_its_run_waits(server: LiveServer, gate: Gate) -> None:
    run = waiting(server, gate)
    (worker,) = server.workers()
    os.kill(worker, signal.SIGKILL)
    poll(lambda: worker not in server.await_workers(1))
    gate.open()
    server.await_idle()
    assert status(server, run) == "success"


@pytest.mark.full
def test_a_server_that_stops_while_a_run_waits(start_server: StartServer, gate: Gate) -> None:
    args = ("--workers", "1", "--concurrency", "1")
    server = start_server(config=PROJECT / "langgraph.json", args=args, env={"RUNYARD_SHUTDOWN_GRACE": "0.2"})
    run = waiting(server, gate)
    assert server.stop() == 0
    gate.open()
    server.start()
    server.await_idle()
    assert status(server, run) == "success"


def test_a_run_that_is_cancelled_while_it_waits_leaves_the_other_one(server: LiveServer, gate: Gate) -> None:
    run = waiting(server, gate)
    server.post(f"/threads/{run['thread_id']}/runs/{run['run_id']}/cancel?wait=true", None)
    assert server.metrics()["queue"]["running"] == 1
    gate.open()
    server.await_idle()
    assert status(server, run) == "interrupted"


@pytest.mark.full
def test_a_sync_wait_in_an_async_node_gets_another_worker(server: LiveServer) -> None:
    """The only one has its event loop blocked, which the server notices."""
    values = server.post("/runs/wait", {"assistant_id": "caller", "input": {"does": "sync wait"}})
    assert values["result"]["user"] is None


def test_what_a_run_asks_is_part_of_its_trace(tmp_path: Path) -> None:
    collector = SpanCollector()
    server = LiveServer(
        tmp_path / "data", config=PROJECT / "langgraph.json", args=("--workers", "1"), env=collector.env
    )
    try:
        run = server.start().post("/runs", {"assistant_id": "caller", "input": {"does": "join", "with_": {}}})
        outer, inner = collector.await_spans(2, lambda span: span.name in ("run caller", "run answering"))
        if outer.name != "run caller":
            outer, inner = inner, outer
        assert outer.attributes["runyard.run_id"] == run["run_id"]
        (request,) = collector.await_spans(1, lambda span: span.id == inner.parent)
        assert (request.name, request.parent, inner.trace) == ("POST /runs", outer.id, outer.trace)
    finally:
        server.close()
        collector.close()
