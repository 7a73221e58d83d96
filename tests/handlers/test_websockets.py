"""WebSockets pass what requests pass: authentication, authorisation, origins, what is switched off."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from langgraph_sdk import Auth
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from runyard.handlers.app import create_app
from runyard.runtime.auth.api_keys import ApiKeys
from runyard.runtime.auth.custom import CustomAuthentication
from runyard.runtime.auth.principal import ANONYMOUS, Principal
from runyard.runtime.auth.refusal import Refusal
from runyard.runtime.auth.requests import IncomingRequest
from runyard.runtime.config.project import AuthSection, HeaderFilter

from .fakes.everybody import Everybody
from .fakes.runtime import FakeRuntime
from .fakes.thread_events import make_event

BASE = "http://127.0.0.1"
SOCKETS = "ws://127.0.0.1"
URL = f"{SOCKETS}/threads/{uuid.uuid4()}/stream/events"
KEY = "a-key-that-nobody-guesses"
START: dict[str, Any] = {"id": 1, "method": "run.start", "params": {"assistant_id": "chain"}}
STATE: dict[str, Any] = {"id": 2, "method": "state.get"}
SUBSCRIBE: dict[str, Any] = {"id": 3, "method": "subscription.subscribe", "params": {"channels": ["values"]}}


@contextmanager
def serving(runtime: FakeRuntime) -> Iterator[TestClient]:
    with TestClient(create_app(runtime), base_url=BASE) as client:
        yield client


def ask(socket: WebSocketTestSession, command: dict[str, Any]) -> dict[str, Any]:
    socket.send_json(command)
    answer: dict[str, Any] = socket.receive_json()
    return answer


def closed_with(client: TestClient, headers: dict[str, str] | None = None, url: str = URL) -> int:
    """The code that a connection is closed with before it was asked anything."""
    with client.websocket_connect(url, headers=headers or {}) as socket:
        return code_of(socket)


def code_of(socket: WebSocketTestSession) -> int:
    with pytest.raises(WebSocketDisconnect) as closing:
        socket.receive_json()
    return closing.value.code


def test_a_key_in_the_handshake_lets_in(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    with serving(FakeRuntime(authenticator=ApiKeys([KEY]), settings={"api_keys": (KEY,)})) as client:
        for headers in ({"x-api-key": KEY}, {"authorization": f"Bearer {KEY}"}):
            with client.websocket_connect(URL, headers=headers) as socket:
                assert ask(socket, STATE)["type"] == "success"
        for wrong in ({}, {"x-api-key": "another"}):
            assert closed_with(client, wrong) == 4401


def test_the_cookie_of_a_browser_lets_in_for_pages_of_the_server_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    with serving(FakeRuntime(authenticator=ApiKeys([KEY]), settings={"api_keys": (KEY,)})) as client:
        own = {"sec-fetch-site": "same-origin"}
        signed_in = client.post("/sign-in", json={"credential": KEY}, headers=own)
        cookie = {"cookie": signed_in.headers["set-cookie"].partition(";")[0]}
        with client.websocket_connect(URL, headers={**cookie, "origin": BASE}) as socket:
            assert ask(socket, STATE)["type"] == "success"
        assert closed_with(client, {**cookie, "origin": f"{BASE}:3000"}) == 4401


def test_a_page_of_another_origin_gets_no_connection(runtime: FakeRuntime) -> None:
    with serving(runtime) as client:
        for headers in ({"origin": "https://evil.example"}, {"host": "evil.example"}):
            with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect(URL, headers=headers):
                pass
            assert denied.value.status_code == 403
            assert "evil.example" in denied.value.json()["detail"]


@pytest.mark.parametrize("group", ["threads", "runs"])
def test_what_is_switched_off_takes_no_connections(group: str) -> None:
    with (
        serving(FakeRuntime(disabled=frozenset({group}))) as client,
        pytest.raises(WebSocketDenialResponse) as denied,
        client.websocket_connect(URL),
    ):
        pass
    assert denied.value.status_code == 404


class Revocable(Everybody):
    """Lets everybody in until it does not."""

    def __init__(self) -> None:
        self.revoked = False
        self.methods: list[str] = []

    async def authenticate(self, request: IncomingRequest) -> Principal:
        self.methods.append(request.argument("method"))
        if self.revoked:
            raise Refusal(401, "Revoked")
        return ANONYMOUS


def test_what_is_revoked_ends_the_connection_with_the_next_command(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    door = Revocable()
    with serving(FakeRuntime(authenticator=door)) as client, client.websocket_connect(URL) as socket:
        assert ask(socket, STATE)["type"] == "success"
        door.revoked = True
        socket.send_json(STATE)
        assert code_of(socket) == 4401
    assert {*door.methods} == {"GET"}


def test_each_command_asks_for_what_it_does() -> None:
    auth, asked, allowed = Auth(), list[str](), [True]

    @auth.authenticate
    async def authenticate() -> str:
        return "ann"

    @auth.on
    async def decide(ctx: Auth.types.AuthContext, value: Any) -> bool:
        asked.append(f"{ctx.resource}.{ctx.action}")
        return allowed[0]

    section = AuthSection(path="./auth.py:auth", openapi={})
    runtime = FakeRuntime(authenticator=CustomAuthentication(auth, "auth", timeout=10), auth=section)
    runtime.thread_events.ended = False
    with serving(runtime) as client, client.websocket_connect(URL) as socket:
        for command, wanted in (
            (START, ["assistants.read", "threads.create_run"]),
            (STATE, ["threads.read"]),
            (SUBSCRIBE, ["threads.read"]),
        ):
            asked.clear()
            assert ask(socket, command)["type"] == "success"
            assert asked == wanted
        allowed[0] = False
        for command in (START, STATE, SUBSCRIBE):
            assert ask(socket, command)["error"] == "permission_denied"
    assert len(runtime.runs.created) == 1


def test_headers_of_the_handshake_reach_the_runs() -> None:
    runtime = FakeRuntime(configurable_headers=HeaderFilter(includes=("x-team",)))
    with serving(runtime) as client, client.websocket_connect(URL, headers={"x-team": "a", "x-b": "b"}) as socket:
        ask(socket, START)
    assert runtime.runs.headers == [{"x-team": "a"}]


def test_events_come_in_front_of_the_answer_and_behind_it(runtime: FakeRuntime) -> None:
    runtime.thread_events.tell(make_event(100, "values", {"n": 1}))
    with serving(runtime) as client, client.websocket_connect(URL) as socket:
        kept = ask(socket, SUBSCRIBE)
        assert kept["seq"] == 100
        assert socket.receive_json()["result"]["replayed_events"] == 1


def test_a_mistake_of_the_server_is_an_answer_and_the_connection_goes_on(
    runtime: FakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    runtime.threads.error = ZeroDivisionError("a defect")
    with serving(runtime) as client, client.websocket_connect(URL) as socket:
        answer = ask(socket, {"id": 4, "method": "agent.getTree", "params": {}})
        assert (answer["error"], answer["message"]) == ("unknown_error", "500: Internal Server Error")
        assert ask(socket, STATE)["type"] == "success"


def test_connections_are_counted_with_what_came_of_them(runtime: FakeRuntime) -> None:
    with serving(runtime) as client:
        with client.websocket_connect(URL):
            pass
        closed_with(client, url=f"{SOCKETS}/threads/nope/stream/events")
    route = "/threads/{thread_id}/stream/events"
    assert [each[:3] for each in runtime.metrics.requests] == [
        ("WEBSOCKET", route, 101),
        ("WEBSOCKET", route, 422),
    ]
