"""Clients without a URL in the project's own application, on a server below a path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.live_server import LiveServer

from .servers import within

ANN = {"authorization": "Bearer ann-token"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = within(tmp_path_factory.mktemp("app"), "--workers", "1", config="with_app.json")
    try:
        yield server.start()
    finally:
        server.close()


def ask(server: LiveServer, path: str) -> Any:
    answer = server.http.get(f"{server.url}{path}", headers=ANN)
    answer.raise_for_status()
    return answer.json()


def test_a_route_asks_as_the_server(server: LiveServer) -> None:
    assert server.url.endswith("/below")
    assert ask(server, "/ask") == {"metadata": {}, "user": None}
    assert ask(server, "/ask-sync") == {}


def test_a_route_asks_as_its_caller_where_it_hands_credentials_on(server: LiveServer) -> None:
    assert ask(server, "/ask?as=caller") == {"metadata": {"owner": "ann"}, "user": "ann"}


def test_what_a_run_asks_the_application_it_asks_as_the_runs_user(server: LiveServer) -> None:
    def told(**needs: Any) -> Any:
        asked = {"assistant_id": "caller", "input": {"does": "application", "with_": needs}}
        return server.http.post(f"{server.url}/runs/wait", json=asked, headers=ANN).json()["result"]

    assert told() == {"metadata": {"owner": "ann"}, "user": "ann"}
    as_a_stranger = {"headers": {"authorization": "Bearer bob-token"}}
    assert told(client=as_a_stranger) == {"metadata": {}, "user": None}


def test_a_sync_client_in_an_async_route_is_refused(server: LiveServer) -> None:
    assert "use get_client() in async code" in ask(server, "/block")


def test_a_run_reaches_a_server_below_a_path(server: LiveServer) -> None:
    asked = {"assistant_id": "caller", "input": {"does": "join", "with_": {}}}
    answer = server.http.post(f"{server.url}/runs/wait", json=asked, headers=ANN)
    assert answer.json()["result"]["user"] == "ann"
