"""Requests, runs and nodes are one trace, in whatever process and after whatever end they come to be."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gate import UNHELD, Gate
from tests.live_server import LiveServer
from tests.span_collector import CollectedSpan, SpanCollector

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLED = {"traceparent": f"00-{TRACE}-{CALLER}-01"}


@pytest.fixture(scope="module")
def collector() -> Iterator[SpanCollector]:
    collector = SpanCollector()
    yield collector
    collector.close()


@pytest.fixture(scope="module")
def server(collector: SpanCollector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Two workers, whose traces are collected."""
    server = LiveServer(tmp_path_factory.mktemp("traces") / "data", env=collector.env).start()
    yield server
    server.close()


def of_run(collector: SpanCollector, run_id: str) -> CollectedSpan:
    """The span of the last attempt at a run, once it is there."""
    return collector.await_spans(1, lambda span: span.attributes.get("runyard.run_id") == run_id)[-1]


def children(collector: SpanCollector, parent: CollectedSpan, count: int) -> list[CollectedSpan]:
    return collector.await_spans(count, lambda span: span.parent == parent.id)


def accept(server: LiveServer, path: str, body: object, headers: dict[str, str] | None = None) -> dict[str, str]:
    answer = server.http.post(f"{server.url}{path}", json=body, headers=headers)
    answer.raise_for_status()
    run: dict[str, str] = answer.json()
    return run


def test_request_run_and_nodes_are_part_of_the_callers_trace(server: LiveServer, collector: SpanCollector) -> None:
    run = accept(server, "/runs", {"assistant_id": "gated", "input": UNHELD}, CALLED)
    span = of_run(collector, run["run_id"])
    (request,) = collector.await_spans(1, lambda each: each.id == span.parent)
    assert (request.name, request.trace, request.parent) == ("POST /runs", TRACE, CALLER)
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": "/runs",
        "http.response.status_code": 200,
    }
    assert (span.name, span.trace, span.service, span.failed) == ("run gated", TRACE, "runyard", False)
    waited, worker = span.attributes.pop("runyard.wait_seconds"), span.attributes.pop("runyard.worker")
    assert waited >= 0
    assert worker
    assert span.attributes == {
        "runyard.run_id": run["run_id"],
        "runyard.thread_id": run["thread_id"],
        "runyard.assistant_id": run["assistant_id"],
        "runyard.graph_id": "gated",
        "runyard.attempt": 1,
        "runyard.status": "success",
    }
    nodes = children(collector, span, 2)
    assert [(node.name, node.trace) for node in nodes] == [("node enter", TRACE), ("node hold", TRACE)]


def test_nodes_of_a_subgraph_lie_within_the_node_that_calls_it(server: LiveServer, collector: SpanCollector) -> None:
    run = accept(server, "/runs", {"assistant_id": "subgraphed", "input": {"log": []}})
    nodes = children(collector, of_run(collector, run["run_id"]), 3)
    assert [node.name for node in nodes] == ["node before", "node child", "node after"]
    assert [node.name for node in children(collector, nodes[1], 2)] == ["node think", "node confirm"]


def test_the_runs_of_a_batch_belong_to_its_request(server: LiveServer, collector: SpanCollector) -> None:
    items = [{"assistant_id": "gated", "input": UNHELD}] * 6
    answer = server.http.post(f"{server.url}/runs/batch", json=items)
    spans = [of_run(collector, run["run_id"]) for run in answer.json()]
    (request,) = collector.await_spans(1, lambda span: span.id == spans[0].parent)
    assert request.name == "POST /runs/batch"
    assert {span.parent for span in spans} == {request.id}


def test_a_run_that_is_made_anew_belongs_to_the_request_that_does(server: LiveServer, collector: SpanCollector) -> None:
    answer = server.http.post(
        f"{server.url}/runs/batch", json=[{"assistant_id": "failing", "input": {}}], headers=CALLED
    )
    assert of_run(collector, answer.json()[0]["run_id"]).trace == TRACE
    retried = server.post(f"/batches/{answer.json()[0]['batch_id']}/retry", {})
    (span,) = collector.await_spans(1, lambda span: span.name == "run failing" and span.trace != TRACE)
    (request,) = collector.await_spans(1, lambda each: each.id == span.parent)
    assert request.name == "POST /batches/{batch_id}/retry", retried


def test_what_fails_is_marked_and_nothing_that_was_said_is_told(server: LiveServer, collector: SpanCollector) -> None:
    secret = "a-secret-word"
    body = {"assistant_id": "failing", "input": {"log": [secret]}, "metadata": {"owner": secret}}
    run = accept(server, "/runs", body, {"x-api-key": secret, "baggage": f"user={secret}"})
    span = of_run(collector, run["run_id"])
    assert span.failed
    assert span.attributes["runyard.status"] == "error"
    failed = [node for node in children(collector, span, 1) if node.failed]
    assert [node.attributes["error.type"] for node in failed]
    assert not [body for body in collector.bodies if secret.encode() in body]


def test_an_interrupt_is_no_failure(server: LiveServer, collector: SpanCollector) -> None:
    run = accept(server, "/runs", {"assistant_id": "two_asks", "input": {}, "on_completion": "keep"})
    span = of_run(collector, run["run_id"])
    assert span.attributes["runyard.status"] == "success"
    assert [node.failed for node in children(collector, span, 2)] == [False, False]


def test_runs_keep_their_trace_across_a_crash(
    server: LiveServer, collector: SpanCollector, gate: Gate, tmp_path: Path
) -> None:
    thread = server.post("/threads", {})["thread_id"]
    body = {"assistant_id": "gated", "input": gate.input(), "multitask_strategy": "enqueue"}
    held, waiting = (accept(server, f"/threads/{thread}/runs", body, CALLED) for _ in range(2))
    collector.await_spans(2, lambda span: span.attributes.get("http.route") == "/threads/{thread_id}/runs")
    server.kill_group()
    gate.open()
    server.start()
    spans = [of_run(collector, run["run_id"]) for run in (held, waiting)]
    assert {span.trace for span in spans} == {TRACE}
    parents = {span.parent for span in spans}
    assert len(collector.await_spans(2, lambda span: span.id in parents and span.trace == TRACE)) == 2


@pytest.mark.full
def test_a_collector_that_is_not_there_costs_runs_nothing(tmp_path: Path) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{unheard.getsockname()[1]}"}
        server = LiveServer(tmp_path / "data", args=("--workers", "0"), env=env).start()
        try:
            assert server.post("/runs/wait", {"assistant_id": "gated", "input": UNHELD})["log"] == ["x in", "x out"]
            assert server.stop() == 0
        finally:
            server.close()
