"""Readers of a thread's events who do not keep up, and runs that say a lot."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.live_server import LiveServer

SAID = 4000
"""Pieces that the run says, of 1 kB."""


@pytest.fixture
def thread(live_server: LiveServer) -> str:
    return f"/threads/{uuid.uuid4()}"


def said(messages: list[dict[str, Any]]) -> list[int]:
    return [message["seq"] for message in messages if message.get("type") == "event"]


def test_a_connection_that_is_not_read_gets_everything_in_order_in_the_end(
    live_server: LiveServer, thread: str
) -> None:
    url = live_server.url.replace("http", "ws")
    start = {"assistant_id": "flood", "input": {"events": SAID, "size": 1000}}
    with connect(f"{url}{thread}/stream/events", max_queue=1) as slow:
        run = command(live_server, thread, "run.start", **start)
        subscribe = {"id": 1, "method": "subscription.subscribe", "params": {"channels": ["custom", "lifecycle"]}}
        slow.send(json.dumps(subscribe))
        # Nobody else is held up by it, nor is the run.
        live_server.get(f"{thread}/runs/{run['run_id']}/join")
        assert command(live_server, thread, "agent.getTree", **run)["tree"]["status"] == "completed"
        received = [json.loads(slow.recv(timeout=60))]
        while not is_end(received[-1]):
            received.append(json.loads(slow.recv(timeout=60)))
    assert said(received) == sorted({*said(received)})
    pieces = [each for each in received if each.get("method") == "custom"]
    assert len(pieces) == SAID


def command(server: LiveServer, thread: str, method: str, **params: Any) -> Any:
    """The result of a command."""
    answer = httpx.post(
        f"{server.url}{thread}/commands", timeout=60, json={"id": 1, "method": method, "params": params}
    )
    return answer.json()["result"]


def is_end(message: dict[str, Any]) -> bool:
    return bool(message.get("method") == "lifecycle" and message["params"]["data"]["event"] == "completed")
