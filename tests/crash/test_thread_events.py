"""The thread event protocol while workers and servers are killed: no number is missing, none comes twice, and each run
has one beginning and one end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.live_server import LiveServer, StartServer

from .step_log import PROJECT
from .told_events import DELAY, STEPS
from .told_thread import ToldThread, root_lifecycle, unchanging

pytestmark = pytest.mark.full


@pytest.fixture
def server(start_server: StartServer) -> LiveServer:
    """With one worker, so that the one that is killed is the one at work."""
    return start_server(config=PROJECT, args=("--workers", "1"), env={"RUNYARD_MAX_ATTEMPTS": "100"})


@pytest.fixture
def kill_worker(server: LiveServer) -> Callable[[], None]:
    def kill() -> None:
        for pid in server.await_workers(1):
            os.kill(pid, signal.SIGKILL)

    return kill


@pytest.fixture
def kill_server(server: LiveServer) -> Callable[[], None]:
    port = int(server.url.rpartition(":")[2])

    def kill_and_start() -> None:
        server.kill_group()
        server.start(port=port)

    return kill_and_start


def assert_whole(found: list[dict[str, Any]]) -> None:
    """Of a run: nothing comes twice, all steps are there, and messages that have begun have ended."""
    numbers = [each["seq"] for each in found]
    assert numbers == sorted(set(numbers))
    ids = [each["event_id"] for each in found]
    assert len(set(ids)) == len(ids)
    assert root_lifecycle(found) == ["running", "completed"]
    values = {each["params"]["data"].get("n") for each in found if each["method"] == "values"}
    assert {*range(1, STEPS + 1)} <= values
    said = [each["params"]["data"]["event"] for each in found if each["method"] == "messages"]
    assert said.count("message-start") == said.count("message-finish") + said.count("error")
    finished = [
        each["params"]["data"]["content"]["text"]
        for each in found
        if each["method"] == "messages" and each["params"]["data"]["event"] == "content-block-finish"
    ]
    assert {f"this is step {number}" for number in range(STEPS)} <= {*finished}


@pytest.mark.parametrize("what", ["kill_worker", "kill_server"])
@pytest.mark.parametrize("at", [2, 3])
def test_events_are_whole_across_kills(server: LiveServer, request: pytest.FixtureRequest, what: str, at: int) -> None:
    thread = ToldThread(server, steps=STEPS, delay=DELAY)
    thread.start()
    found = thread.read(disturb=request.getfixturevalue(what), at=at)
    assert_whole(found)
    assert unchanging(thread.read()) == unchanging(found)


def test_a_thread_is_read_again_from_any_number_after_a_restart(
    server: LiveServer, kill_server: Callable[[], None]
) -> None:
    thread = ToldThread(server, steps=STEPS, delay=0)
    for runs in (1, 2):
        thread.start()
        found = thread.read(runs=runs)
    assert root_lifecycle(found) == ["running", "completed"] * 2
    kill_server()
    again = thread.read(runs=2)
    assert unchanging(again) == unchanging(found)
    middle = len(found) // 3
    assert unchanging(thread.read(runs=2, since=found[middle]["seq"])) == unchanging(found[middle + 1 :])
