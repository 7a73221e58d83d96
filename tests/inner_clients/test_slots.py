"""Runs that wait for other runs lend them their places: however few a worker has, all of them come to their end."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.live_server import LiveServer

from .servers import within

DEPTH = 6
SLOTS = 6
"""Runs that a worker with a concurrency of 2 executes at once, with those that somebody waits for."""


@pytest.fixture(scope="module", params=["1", "0"], ids=["worker process", "one process"])
def narrow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("narrow")
    server = within(folder, "--workers", request.param, "--concurrency", "2")
    try:
        yield server.start()
    finally:
        server.close()


def results(server: LiveServer, runs: list[Any]) -> list[Any]:
    return [server.get(f"/threads/{run['thread_id']}/runs/{run['run_id']}/join").get("result") for run in runs]


@pytest.mark.parametrize("graph", ["nesting", "sync_nesting", "looking_nesting"])
def test_a_batch_whose_runs_all_start_others(narrow: LiveServer, graph: str) -> None:
    runs = narrow.post("/runs/batch", [{"assistant_id": graph, "input": {"depth": DEPTH}}] * SLOTS)
    assert results(narrow, runs) == [DEPTH] * SLOTS


def test_runs_that_join_what_they_have_started(narrow: LiveServer) -> None:
    asked = {"assistant_id": "caller", "input": {"does": "join", "with_": {}}}
    runs = [narrow.post("/runs", asked) for _ in range(3 * SLOTS)]
    assert all(results(narrow, runs))


def test_clients_that_all_wait_for_runs_that_start_others(narrow: LiveServer) -> None:
    def ask(_: int) -> Any:
        return narrow.post("/runs/wait", {"assistant_id": "nesting", "input": {"depth": 3}})["result"]

    with ThreadPoolExecutor(2 * SLOTS) as pool:
        assert list(pool.map(ask, range(2 * SLOTS))) == [3] * 2 * SLOTS


def test_a_graph_that_starts_itself_without_an_end_comes_to_one(narrow: LiveServer) -> None:
    values = narrow.post("/runs/wait", {"assistant_id": "nesting", "input": {"depth": -1}})
    while "result" in values:
        values = values["result"]
    assert "starts itself without an end" in str(values) or "__error__" in values
    narrow.await_idle()
