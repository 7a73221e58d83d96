"""Streams read to their end while workers are killed: nothing is missing of what plain LangGraph streams."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.live_server import LiveServer, StartServer

from .step_log import PROJECT
from .told_events import MODES, STEPS, ByMode, ToldStream, assert_whole, plain_events

pytestmark = pytest.mark.full


@pytest.fixture
def server(start_server: StartServer) -> LiveServer:
    """With one worker, so that the one that is killed is the one at work; of each test's own, since the pauses before
    a new worker grow with each that dies."""
    return start_server(config=PROJECT, args=("--workers", "1"), env={"RUNYARD_MAX_ATTEMPTS": "100"})


@pytest.fixture
async def plain() -> ByMode:
    return await plain_events()


def kill_worker(server: LiveServer) -> None:
    """Also one that was started beside it, for runs that were there at a death before."""
    for pid in server.await_workers(1):
        os.kill(pid, signal.SIGKILL)


def test_plain_langgraph_streams_every_mode(plain: ByMode) -> None:
    assert plain.keys() == {mode.removesuffix("-tuple") for mode in MODES}
    assert [event["n"] for event in plain["values"][1:]] == list(range(1, STEPS + 1))


def test_an_undisturbed_stream_is_that_of_plain_langgraph(server: LiveServer, plain: ByMode) -> None:
    stream = ToldStream(server, resumable=False)
    stream.read(disturb=lambda: None, at=())
    (only,) = stream.attempts()
    assert only == plain


@pytest.mark.parametrize("at", [(2,), (5,), (2, 6)], ids=["early", "late", "twice"])
def test_a_resumable_stream_is_whole_across_worker_kills(
    server: LiveServer, plain: ByMode, tmp_path: Path, at: tuple[int, ...]
) -> None:
    stream = ToldStream(server, resumable=True, heard=tmp_path)
    stream.read(disturb=lambda: kill_worker(server), at=at)
    assert len(list(stream.attempts())) == 1 + len(at)
    assert_whole(stream, plain)


@pytest.mark.parametrize("at", [(2,), (5,)], ids=["early", "late"])
def test_a_stream_that_cannot_be_resumed_is_whole_or_says_that_it_is_cut(
    server: LiveServer, plain: ByMode, tmp_path: Path, at: tuple[int, ...]
) -> None:
    stream = ToldStream(server, resumable=False, heard=tmp_path)
    stream.read(disturb=lambda: kill_worker(server), at=at)
    if not stream.is_said_to_be_cut:
        assert_whole(stream, plain)


def test_the_last_of_the_events_is_the_end_of_the_graph(server: LiveServer) -> None:
    stream = ToldStream(server, resumable=True, modes=["events", "custom"])
    stream.read(disturb=lambda: kill_worker(server), at=(3,))
    told = [data for name, data in stream.raw if name == "events"]
    assert told[-1]["event"] == "on_chain_end"
    assert told[-1]["data"]["output"]["n"] == STEPS


def test_each_message_is_completed(server: LiveServer) -> None:
    stream = ToldStream(server, resumable=True, modes=["messages", "custom"])
    stream.read(disturb=lambda: kill_worker(server), at=(3,))
    complete = [message for name, data in stream.raw if name == "messages/complete" for message in data]
    partial = [message for name, data in stream.raw if name == "messages/partial" for message in data]
    texts = [f"this is step {number}" for number in range(STEPS)]
    for message in (*complete, *partial):
        assert any(text.startswith(message["content"]) for text in texts)
    assert list(dict.fromkeys(m["content"] for m in (*partial, *complete) if m["content"] in texts)) == texts


def test_a_resumable_stream_is_whole_when_the_server_is_killed(
    server: LiveServer, plain: ByMode, tmp_path: Path
) -> None:
    port = int(server.url.rpartition(":")[2])

    def kill_and_start() -> None:
        server.kill_group()
        server.start(port=port)

    stream = ToldStream(server, resumable=True, heard=tmp_path)
    stream.read(disturb=kill_and_start, at=(3,))
    assert_whole(stream, plain)


@pytest.mark.parametrize("resumable", [True, False])
def test_a_stream_is_whole_when_the_api_process_was_suspended(
    server: LiveServer, plain: ByMode, resumable: bool
) -> None:
    def suspend() -> None:
        os.kill(server.pid, signal.SIGSTOP)
        time.sleep(4)  # what is tested is that time passes
        os.kill(server.pid, signal.SIGCONT)

    stream = ToldStream(server, resumable=resumable)
    stream.read(disturb=suspend, at=(3,))
    (only,) = stream.attempts()
    assert only == plain
