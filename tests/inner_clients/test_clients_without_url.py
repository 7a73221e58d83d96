"""`get_client()` without a URL reaches the server that executes the code, wherever that is: in worker processes and in
the API process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid5

import pytest

from tests.live_server import LiveServer

from .servers import run, within

NOBODY = {"user": None, "request": "the-request"}
ASKED = {"x-request-id": "the-request"}


@pytest.fixture(scope="module", params=["1", "0"], ids=["worker process", "one process"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = within(tmp_path_factory.mktemp("within"), "--workers", request.param)
    try:
        yield server.start()
    finally:
        server.close()


@pytest.mark.parametrize("graph", ["caller", "sync_caller"])
@pytest.mark.parametrize("early", [False, True], ids=["made in the node", "made at import"])
def test_a_node_makes_threads_and_runs(server: LiveServer, graph: str, early: bool) -> None:
    made = run(server, graph, "thread", early=early, headers=ASKED)
    assert made["run"] == made["me"] == NOBODY
    assert server.get(f"/threads/{made['thread']}")["metadata"]["made"] == "inside"


@pytest.mark.parametrize(
    ("graph", "does", "result"),
    [
        ("caller", "join", NOBODY),
        ("caller", "stream", NOBODY),
        ("caller", "store", {"text": "deep"}),
        ("sync_caller", "async", NOBODY),
        ("remote", "", NOBODY),
        ("made", "", ["answering"]),
    ],
    ids=["joins", "streams", "stores", "async in a sync node", "RemoteGraph", "factory"],
)
def test_code_does_what_clients_do(server: LiveServer, graph: str, does: str, result: Any) -> None:
    assert run(server, graph, does, headers=ASKED) == result


def test_a_node_makes_a_cron(server: LiveServer) -> None:
    cron_id = run(server, "caller", "cron")
    assert [cron["cron_id"] for cron in server.post("/runs/crons/search", {})] == [cron_id]


def test_a_factory_is_answered_where_its_graph_is_only_looked_at(server: LiveServer) -> None:
    (assistant,) = server.post("/assistants/search", {"graph_id": "made"})
    assert server.get(f"/assistants/{assistant['assistant_id']}/schemas")["graph_id"] == "made"


def test_a_run_that_would_wait_for_itself_is_told_so(server: LiveServer) -> None:
    error = run(server, "caller", "own thread")
    assert error["message"].startswith("Client error '409 Conflict'")


def test_a_remote_graph_as_a_node_has_a_thread_beside_that_of_its_run(server: LiveServer) -> None:
    thread = server.post("/threads", {})["thread_id"]
    for runs in (1, 2):
        asked = {"assistant_id": "remote_node", "input": {"does": ""}}
        answer = server.http.post(f"{server.url}/threads/{thread}/runs/wait", json=asked, headers=ASKED)
        assert answer.json()["result"] == NOBODY
        beside = server.get(f"/threads/{uuid5(UUID(thread), 'answering')}/runs")
        assert [run["status"] for run in beside] == ["success"] * runs


def test_that_of_a_stateless_run_leaves_no_thread(server: LiveServer) -> None:
    before = server.post("/threads/count", {})
    assert run(server, "remote_node", headers=ASKED) == NOBODY
    assert server.post("/threads/count", {}) == before


def test_the_socket_is_the_server_users_alone(server: LiveServer) -> None:
    assert (server.data / "inner").stat().st_mode & 0o777 == 0o600


def test_a_sync_client_in_an_async_node(server: LiveServer) -> None:
    result = run(server, "caller", "sync")
    if server.workers() == [server.pid]:
        assert "use get_client() in async code" in result["message"]
    else:
        assert server.get(f"/threads/{result}")["status"] == "idle"


def test_a_deleted_socket_is_made_anew(server: LiveServer) -> None:
    (server.data / "inner").unlink()
    assert run(server, "caller", "store") == {"text": "deep"}
