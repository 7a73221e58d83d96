"""WebSockets on a thread that are not let through, or closed."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from runyard.handlers.protocols.thread_events.frames import MOST_FRAMES
from runyard.handlers.protocols.thread_events.subscriptions import MOST_SUBSCRIPTIONS
from tests.authorisation.users import User
from tests.live_server import LiveServer

from .sockets import closed_with, new_thread, opened, subscribe

pytestmark = pytest.mark.postgres(cluster=True)


CHAIN: dict[str, Any] = {"assistant_id": "chain", "input": {"n": 1}}


def test_what_is_too_much_closes_the_connection(ann: User) -> None:
    thread_id = new_thread(ann)
    assert closed_with(ann, thread_id, *["x"] * (MOST_FRAMES + 1)) == 4429
    with opened(ann, thread_id) as socket, pytest.raises(ConnectionClosed) as error:  # noqa: PT012
        # The head of a frame that says how long it is going to be.
        socket.connection.socket.sendall(b"\x81\xff" + (1 << 40).to_bytes(8) + b"mask")
        socket.receive()
    assert error.value.rcvd is not None
    assert error.value.rcvd.code == 1009
    with opened(ann, thread_id) as socket:
        for _ in range(MOST_SUBSCRIPTIONS):
            assert socket.ask("subscription.subscribe", channels=["custom"])["type"] == "success"
        assert socket.ask("subscription.subscribe", channels=["custom"])["error"] == "invalid_argument"


def test_a_connection_that_is_refused_says_why(ann: User, bob: User, agents: LiveServer) -> None:
    thread_id = new_thread(bob)
    nobody = User(agents, {})
    assert closed_with(nobody, thread_id) == 4401
    assert closed_with(ann, "nope") == 4422
    assert closed_with(ann, str(uuid.uuid4()), subscribe()) == 4404
    assert closed_with(ann, thread_id, subscribe()) == 4404  # somebody else's


def test_what_is_somebody_elses_is_not_there_for_commands(ann: User, bob: User) -> None:
    thread_id = new_thread(bob)
    with opened(ann, thread_id) as socket:
        for method, params in (
            ("state.get", {}),
            ("state.listCheckpoints", {}),
            ("agent.getTree", {}),
            ("run.start", CHAIN),
            ("input.respond", {"interrupt_id": "x", "response": 1}),
        ):
            assert socket.ask(method, **params)["type"] == "error", method
    assert bob.get(f"/threads/{thread_id}/runs") == []


def test_a_thread_that_is_deleted_ends_the_connection(ann: User) -> None:
    thread_id = new_thread(ann)
    with opened(ann, thread_id) as socket:
        socket.ask("subscription.subscribe", channels=["values"])
        ann.ask("DELETE", f"/threads/{thread_id}")
        with pytest.raises(ConnectionClosed) as error:
            socket.receive()
    assert error.value.rcvd is not None
    assert error.value.rcvd.code == 4404


def test_pages_of_other_origins_and_other_names_of_the_server_are_refused_before_anything_else(ann: User) -> None:
    thread_id = new_thread(ann)
    with pytest.raises(InvalidStatus) as error, opened(ann, thread_id, Origin="https://evil.example"):
        pass
    assert error.value.response.status_code == 403
    assert "evil.example" in json.loads(error.value.response.body)["detail"]
    with opened(ann, thread_id, Origin=ann.server.url) as socket:
        assert socket.ask("state.get")["type"] == "success"


def test_other_paths_take_no_websockets(ann: User) -> None:
    url = ann.server.url.replace("http", "ws")
    for path in ("/", "/threads", f"/threads/{uuid.uuid4()}/stream", "/docs"):
        with pytest.raises(InvalidStatus) as error, connect(f"{url}{path}", additional_headers=ann.headers):
            pass
        assert error.value.response.status_code == 404, path


@pytest.mark.one_server
def test_websockets_are_counted(ann: User) -> None:
    closed_with(ann, "nope")
    line = 'method="WEBSOCKET",route="/threads/{thread_id}/stream/events",status="422"'
    assert line in ann.http.get("/metrics").text
