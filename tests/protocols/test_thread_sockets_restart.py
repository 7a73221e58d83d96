"""A server that stops, and comes back, while a WebSocket follows a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.authorisation.users import User
from tests.gate import Gate
from tests.live_server import LiveServer

from .sockets import Socket, is_lifecycle, new_thread, opened

pytestmark = pytest.mark.full


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path / "data", args=("--workers", "1"), env={"RUNYARD_SHUTDOWN_GRACE": "0.3"})
    try:
        yield server.start()
    finally:
        server.close()


def received(socket: Socket, *, until: str) -> list[dict[str, Any]]:
    """Events up to one on the channel custom, or to one of the run itself."""
    events: list[dict[str, Any]] = []
    while not events or not (events[-1]["method"] == until or is_lifecycle(events[-1], until)):
        if (message := socket.receive())["type"] == "event":
            events.append(message)
    return events


def test_a_run_is_followed_across_a_restart_without_gaps_or_repeats(server: LiveServer, tmp_path: Path) -> None:
    gate = Gate(tmp_path / "gate")
    user = User(server, {})
    thread_id = new_thread(user)
    wanted = {"channels": ["values", "custom", "lifecycle"]}
    with opened(user, thread_id) as socket, pytest.raises(ConnectionClosed) as error:  # noqa: PT012
        socket.ask("subscription.subscribe", **wanted)
        started = socket.ask("run.start", assistant_id="gated", input=gate.input(), on_disconnect="cancel")
        first = received(socket, until="custom")
        server.stop()
        while True:
            first.append(socket.receive())
    assert error.value.rcvd is not None
    assert error.value.rcvd.code == 1012
    gate.open()
    user = User(server.start(), {})
    with opened(user, thread_id) as socket:
        socket.send("subscription.subscribe", **wanted, since=first[-1]["seq"])
        rest = received(socket, until="completed")
    with opened(user, thread_id) as socket:
        socket.send("subscription.subscribe", **wanted)
        assert received(socket, until="completed") == [*first, *rest]
    run = user.get(f"/threads/{thread_id}/runs/{started['result']['run_id']}")
    assert run["status"] == "success"  # a server that stops is no client that leaves
