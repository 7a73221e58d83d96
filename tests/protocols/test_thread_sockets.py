"""WebSockets on a thread: commands and events on one connection, and what is not let through."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from runyard.handlers.protocols.thread_events.frames import MOST_FRAMES
from runyard.handlers.protocols.thread_events.subscriptions import MOST_SUBSCRIPTIONS
from tests.authorisation.users import User
from tests.live_server import LiveServer, poll

pytestmark = pytest.mark.postgres(cluster=True)

WAIT = 60.0
"""Seconds within which each frame has to come."""


class Socket:
    """A connection, with its frames as JSON."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._ids = 0

    def send(self, method: str, **params: Any) -> int:
        self._ids += 1
        self.connection.send(json.dumps({"id": self._ids, "method": method, "params": params}))
        return self._ids

    def receive(self) -> Any:
        return json.loads(self.connection.recv(timeout=WAIT))

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a command; events before it are dropped."""
        return self.ask_for_events(method, **params)[1]

    def ask_for_events(self, method: str, **params: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The events that come before the answer to a command, and the answer."""
        command_id, events = self.send(method, **params), []
        while (message := self.receive()).get("id", -1) != command_id:
            events.append(message)
        return events, message

    def until(self, event: str) -> list[dict[str, Any]]:
        """Events up to one of the run itself on the channel lifecycle."""
        events: list[dict[str, Any]] = []
        while not events or not is_lifecycle(events[-1], event):
            events.append(self.receive())
        return events


def is_lifecycle(message: dict[str, Any], event: str) -> bool:
    if message.get("method") != "lifecycle":
        return False
    return not message["params"]["namespace"] and message["params"]["data"]["event"] == event


@contextmanager
def opened(user: User, thread_id: str, **headers: str) -> Iterator[Socket]:
    url = f"{user.server.url.replace('http', 'ws')}/threads/{thread_id}/stream/events"
    with connect(url, additional_headers={**user.headers, **headers}) as connection:
        yield Socket(connection)


def closed_with(user: User, thread_id: str, *frames: str | bytes, **headers: str) -> int:
    """The code that the server closes with."""
    with opened(user, thread_id, **headers) as socket, pytest.raises(ConnectionClosed) as error:  # noqa: PT012
        for frame in frames:
            socket.connection.send(frame)
        while True:
            socket.receive()
    assert error.value.rcvd is not None
    return error.value.rcvd.code


def new_thread(user: User) -> str:
    thread_id: str = user.post("/threads")["thread_id"]
    return thread_id


def subscribe(command_id: int = 1, **params: Any) -> str:
    return json.dumps(
        {"id": command_id, "method": "subscription.subscribe", "params": {"channels": ["values"], **params}}
    )


def seqs(messages: list[dict[str, Any]]) -> list[int]:
    return [message["seq"] for message in messages]


CHAIN: dict[str, Any] = {"assistant_id": "chain", "input": {"n": 1}}


def test_a_run_is_started_and_followed_on_one_connection(ann: User) -> None:
    thread_id = str(uuid.uuid4())  # of a thread that is not there yet
    with opened(ann, thread_id) as socket:
        started = socket.ask("run.start", **CHAIN)
        assert started["meta"] == {"applied_through_seq": 0}
        socket.send("subscription.subscribe", channels=["values", "lifecycle"])
        events = [each for each in socket.until("completed") if each["type"] == "event"]
        values = [each["params"]["data"] for each in events if each["method"] == "values"]
        assert values[-1] == ann.get(f"/threads/{thread_id}/state")["values"]
        assert seqs(events) == sorted({*seqs(events)})
        assert socket.ask("state.get")["result"]["values"] == values[-1]
        assert socket.ask("agent.getTree", **started["result"])["result"]["tree"]["status"] == "completed"


def test_a_late_subscription_gets_what_is_kept_and_each_event_to_come_once(ann: User) -> None:
    with opened(ann, new_thread(ann)) as socket:
        socket.ask("subscription.subscribe", channels=["values", "lifecycle"])
        socket.send("run.start", **CHAIN)
        first = [each for each in socket.until("completed") if each["type"] == "event"]
        kept, answer = socket.ask_for_events("subscription.subscribe", channels=["values", "lifecycle"])
        assert kept == first
        assert answer["result"]["replayed_events"] == len(kept)
        assert answer["meta"]["applied_through_seq"] >= first[-1]["seq"]
        socket.send("run.start", **CHAIN)
        second = [each for each in socket.until("completed") if each["type"] == "event"]
        assert [each["method"] for each in second] == [each["method"] for each in first]
        assert seqs(second) == sorted({*seqs(second)})
        assert second[0]["seq"] > first[-1]["seq"]


def test_subscriptions_that_come_together_bring_the_past_in_its_order(ann: User) -> None:
    channels = ("lifecycle", "values", "updates")
    thread_id = new_thread(ann)
    with opened(ann, thread_id) as socket:
        socket.ask("subscription.subscribe", channels=channels)
        socket.send("run.start", **CHAIN)
        told = [each for each in socket.until("completed") if each["type"] == "event"]
    with opened(ann, thread_id) as socket:
        commands = [socket.send("subscription.subscribe", channels=[channel]) for channel in channels]
        commands.append(socket.send("state.get"))
        messages = [socket.receive() for _ in (*told, *commands)]
    assert messages[: len(told)] == told
    assert [each["id"] for each in messages[len(told) :]] == commands
    assert [each["result"]["replayed_events"] for each in messages[len(told) : -1]] == [len(told), 0, 0]


def test_a_subscription_that_has_ended_brings_nothing_more(ann: User) -> None:
    with opened(ann, new_thread(ann)) as socket:
        values = socket.ask("subscription.subscribe", channels=["values"])["result"]["subscription_id"]
        socket.ask("subscription.subscribe", channels=["lifecycle"])
        assert socket.ask("subscription.unsubscribe", subscription_id=values)["result"] == {}
        again = socket.ask("subscription.unsubscribe", subscription_id=values)
        assert again["error"] == "no_such_subscription"
        socket.ask("run.start", **CHAIN)
        assert {each.get("method") for each in socket.until("completed")} == {"lifecycle"}


def test_another_connection_takes_subscriptions_up_again(ann: User) -> None:
    thread_id = new_thread(ann)
    with opened(ann, thread_id) as socket:
        name = socket.ask("subscription.subscribe", channels=["values"], depth=0)["result"]["subscription_id"]
        lifecycle = socket.ask("subscription.subscribe", channels=["lifecycle"])["result"]["subscription_id"]
        run_id = socket.ask("run.start", **CHAIN)["result"]["run_id"]
        events = socket.until("completed")
    with opened(ann, thread_id) as socket:
        again, answer = socket.ask_for_events(
            "subscription.reconnect",
            run_id=run_id,
            last_event_id=events[0]["event_id"],
            subscriptions=[name, lifecycle],
        )
        assert again == events[1:]
        assert answer["result"]["restored"]
        assert answer["result"]["current_namespaces"] == [{"namespace": [], "status": "completed"}]
        made_up = socket.ask("subscription.reconnect", run_id=run_id, subscriptions=["x", "y.bm90aGluZw"])
        assert made_up["result"]["restored"] is False
        assert socket.ask("subscription.reconnect", run_id=str(uuid.uuid4()))["error"] == "no_such_run"


def test_a_run_is_cancelled_with_its_connection_where_that_is_asked(ann: User) -> None:
    thread_id = new_thread(ann)
    with opened(ann, thread_id) as socket:
        later = {**CHAIN, "after_seconds": 3600}
        kept = socket.ask("run.start", **later)["result"]["run_id"]
        cancelled = socket.ask("run.start", **later, on_disconnect="cancel")["result"]["run_id"]
    poll(lambda: ann.get(f"/threads/{thread_id}/runs/{cancelled}")["status"] == "interrupted")
    assert ann.get(f"/threads/{thread_id}/runs/{kept}")["status"] == "pending"


HOSTILE: list[str | bytes] = [
    "",
    "junk",
    "[]",
    "null",
    '"x"',
    "{",
    "{}",
    '{"id": 1}',
    '{"id": "x", "method": "state.get"}',
    '{"id": 1, "method": {}}',
    '{"id": 1, "id": 2, "method": "state.get"}',
    '{"id": 99999999999999999999999, "method": "state.get"}',
    '{"id": 1, "method": "state.get", "params": []}',
    '{"id": 1, "method": "bogus"}',
    '{"id": 1, "method": "__class__"}',
    '{"id": 1, "method": "subscription.bogus"}',
    '{"id": 1, "method": "subscription.subscribe"}',
    '{"id": 1, "method": "subscription.subscribe", "params": {"channels": "values"}}',
    '{"id": 1, "method": "subscription.subscribe", "params": {"channels": ["values"], "depth": -1}}',
    '{"id": 1, "method": "subscription.unsubscribe", "params": {"subscription_id": "\\u0000"}}',
    '{"id": 1, "method": "input.respond", "params": {"interrupt_id": "x", "response": 1}}',
    '{"id": 1, "method": "state.fork", "params": {"checkpoint_id": "../x"}}',
    '{"id": 1, "method": "run.start", "params": {"assistant_id": "nope"}}',
    '{"id": 1, "method": "state.get", "params": {"x": ' + "[" * 500 + "]" * 500 + "}}",
    b"\x00\xff",
    b'{"id": 1, "method": "state.get"}',
]


def test_whatever_a_client_sends_is_answered_and_the_connection_goes_on(ann: User) -> None:
    with opened(ann, new_thread(ann)) as socket:
        for frame in HOSTILE:
            socket.connection.send(frame)
            answer = socket.receive()
            assert answer["type"] == "error", frame
            assert answer["message"], frame
        assert socket.ask("state.get")["type"] == "success"


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
