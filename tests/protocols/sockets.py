"""WebSockets on a thread, as tests speak on them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.authorisation.users import User

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
