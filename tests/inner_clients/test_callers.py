"""What code of a run asks, its user asks: with their rights, and without their credentials."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from runyard.runtime.auth.inner_requests import HEADER, Caller, InnerAddress
from tests.live_server import LiveServer

from .servers import run, within

ANN = {"authorization": "Bearer ann-token"}
BOB = {"authorization": "Bearer bob-token"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    server = within(tmp_path_factory.mktemp("callers"), "--workers", "1", config="authenticated.json")
    try:
        yield server.start()
    finally:
        server.close()


def threads(server: LiveServer, headers: dict[str, str]) -> dict[str, Any]:
    found = server.http.post(f"{server.url}/threads/search", json={}, headers=headers).json()
    return {thread["thread_id"]: thread["metadata"] for thread in found}


@pytest.mark.parametrize("graph", ["caller", "sync_caller"])
def test_what_a_run_makes_belongs_to_its_user(server: LiveServer, graph: str) -> None:
    made = run(server, graph, "thread", headers=ANN)
    assert made["run"]["user"] == made["me"]["user"] == "ann"
    assert threads(server, ANN)[made["thread"]]["owner"] == "ann"


def test_a_run_reaches_what_its_user_reaches(server: LiveServer) -> None:
    thread = run(server, "caller", "thread", headers=BOB)["thread"]
    assert run(server, "caller", "look", thread=thread, headers=ANN)["error"] == "NotFoundError"
    assert run(server, "caller", "look", thread=thread, headers=BOB)["thread_id"] == thread


def test_a_run_stores_where_its_user_does(server: LiveServer) -> None:
    assert run(server, "caller", "store", headers=ANN) == {"text": "deep"}
    params = {"namespace": "memories", "key": "lake"}
    assert server.http.get(f"{server.url}/store/items", params=params, headers=ANN).json()["value"] == {"text": "deep"}
    assert server.http.get(f"{server.url}/store/items", params=params, headers=BOB).json() is None


def test_a_cron_made_in_a_run_is_the_users(server: LiveServer) -> None:
    cron_id = run(server, "caller", "cron", headers=ANN)
    asked = f"{server.url}/runs/crons/search"
    assert [cron["cron_id"] for cron in server.http.post(asked, json={}, headers=ANN).json()] == [cron_id]
    assert server.http.post(asked, json={}, headers=BOB).json() == []


def test_credentials_that_the_client_is_given_win(server: LiveServer) -> None:
    made = run(server, "caller", "thread", client={"headers": BOB}, headers=ANN)
    assert made["run"]["user"] == "bob"
    assert made["thread"] in threads(server, BOB)
    refused = run(server, "caller", "thread", client={"headers": {"authorization": "Bearer none"}}, headers=ANN)
    assert refused["error"] == "AuthenticationError"


def test_an_authentication_handler_sees_everything(server: LiveServer) -> None:
    run(server, "caller", "thread", headers=ANN)
    made = run(server, "caller", "thread", headers={"authorization": "Bearer asking-token"})
    assert made["me"]["user"] == "asking"


def test_a_plain_thread_of_a_node_is_a_stranger(server: LiveServer) -> None:
    assert run(server, "caller", "plain thread", headers=ANN) == "AuthenticationError"


def inner(server: LiveServer) -> httpx.Client:
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(server.data / "inner")), base_url="http://localhost")


@pytest.mark.parametrize("said", ["", "x", "x.y", "AAAA.AAAA"])
def test_the_socket_alone_opens_nothing(server: LiveServer, said: str) -> None:
    with inner(server) as client:
        assert client.post("/threads", json={}, headers={HEADER: said}).status_code == 401


def test_a_caller_that_somebody_else_has_signed_is_a_stranger(server: LiveServer) -> None:
    value = InnerAddress(Path("/"), b"another secret").sign(Caller(identity="ann"))
    with inner(server) as client:
        assert client.post("/threads", json={}, headers={HEADER: value}).status_code == 401


def test_a_signed_caller_says_nothing_over_the_network_and_is_in_no_log(start_caught: Any) -> None:
    server, value = start_caught
    with inner(server) as client:
        assert client.post("/threads", json={}, headers={HEADER: value}).status_code == 200
    assert server.http.post(f"{server.url}/threads", json={}, headers={HEADER: value}).status_code == 401
    assert value not in server.log.read_text()


@pytest.fixture
def start_caught(server: LiveServer) -> tuple[LiveServer, str]:
    """A server, and a caller that it has signed, as a node finds it that looks."""
    value = run(server, "spying", headers=ANN)
    assert re.fullmatch(r"[\w=-]+\.[\w=-]+", value)
    return server, value


def test_a_signed_caller_is_good_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    address = InnerAddress(Path("/"), b"secret")
    caller = Caller(identity="ann", user='{"identity": "ann"}', run_id="run", thread_id="thread")
    value = address.sign(caller).encode()
    assert address.read(value) == caller
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    assert address.read(value) is None


def test_with_api_keys_a_run_acts_for_the_key_that_made_it(tmp_path: Path) -> None:
    key = {"x-api-key": "a-key-that-is-long-enough"}
    server = within(tmp_path, "--workers", "1", RUNYARD_API_KEYS="ann:a-key-that-is-long-enough")
    try:
        server.start()
        made = run(server, "caller", "thread", headers=key)
        assert made["run"] == made["me"]
        assert run(server, "caller", "plain thread", headers=key) == "AuthenticationError"
        (found,) = server.http.post(f"{server.url}/assistants/search", json={"graph_id": "made"}, headers=key).json()
        looked_at = server.http.get(f"{server.url}/assistants/{found['assistant_id']}/schemas", headers=key)
        assert looked_at.json()["graph_id"] == "made"
        given = run(server, "caller", "thread", client={"api_key": "none that the server knows"}, headers=key)
        assert given["error"] == "AuthenticationError"
    finally:
        server.close()
