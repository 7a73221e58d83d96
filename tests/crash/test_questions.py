"""Questions to a person, and answers, across kills."""

from __future__ import annotations

import os
import signal
from typing import Any

import httpx
import pytest

from tests.live_server import LiveServer, StartServer, poll

from .client import attempt_of, get_run, join_run
from .held_starts import HeldStarts
from .step_log import PROJECT, StepLog

pytestmark = pytest.mark.full

Run = dict[str, Any]


@pytest.fixture
def server(start_server: StartServer, starts: HeldStarts) -> LiveServer:
    return start_server(config=PROJECT, args=("--workers", "1"), env=starts.env)


@pytest.fixture
def asked(server: LiveServer, step_log: StepLog) -> Run:
    """A run that has asked."""
    thread_id = server.post("/threads", {})["thread_id"]
    given = {"step_log": str(step_log.path), "delay": 0.0}
    run: Run = server.post(f"/threads/{thread_id}/runs", {"assistant_id": "asking", "input": given})
    join_run(server, run)
    assert_asks(server, run)
    return run


def assert_asks(server: LiveServer, run: Run) -> None:
    thread, state = server.get(f"/threads/{run['thread_id']}"), server.get(f"/threads/{run['thread_id']}/state")
    (question,) = (item["value"] for items in thread["interrupts"].values() for item in items)
    assert question == "which side?"
    assert thread["status"] == "interrupted"
    assert state["next"] == ["ask"]
    assert [item["value"] for task in state["tasks"] for item in task["interrupts"]] == ["which side?"]
    assert thread["values"]["done"] == state["values"]["done"] == [0]
    assert not thread["values"].get("sides")


def answer(server: LiveServer, asked: Run, *, delay: float = 0.0) -> Run:
    command = {"resume": "left", "update": {"delay": delay}}
    run: Run = server.post(f"/threads/{asked['thread_id']}/runs", {"assistant_id": "asking", "command": command})
    return run


def answer_and_begin(server: LiveServer, step_log: StepLog, asked: Run) -> Run:
    """The answer, whose work has begun, and takes long enough for a kill to fall into it."""
    run = answer(server, asked, delay=1.0)
    poll(lambda: any(line.startswith(run["run_id"]) for line in step_log.lines()))
    return run


def kill_worker(server: LiveServer, step_log: StepLog) -> None:
    (pid,) = server.await_workers(1)
    step_log.note_kill(pid)
    os.kill(pid, signal.SIGKILL)


def assert_answered(server: LiveServer, run: Run) -> None:
    values = join_run(server, run)
    assert values["done"] == [0]
    assert values["sides"] == ["left", "right"]
    thread = server.get(f"/threads/{run['thread_id']}")
    assert (thread["status"], thread["interrupts"], thread["values"]) == ("idle", {}, values)


def test_a_question_is_still_asked_after_everything_was_killed(server: LiveServer, asked: Run) -> None:
    server.kill_group()
    server.start()
    assert_asks(server, asked)
    assert_answered(server, answer(server, asked))


def test_an_answer_is_not_asked_for_again_after_its_worker_was_killed(
    server: LiveServer, step_log: StepLog, asked: Run
) -> None:
    run = answer_and_begin(server, step_log, asked)
    kill_worker(server, step_log)
    assert_answered(server, run)
    assert attempt_of(get_run(server, run)) == 2
    step_log.traces()


def test_an_answer_is_not_asked_for_again_after_everything_was_killed(
    server: LiveServer, step_log: StepLog, asked: Run
) -> None:
    run = answer_and_begin(server, step_log, asked)
    step_log.note_kill(*(process.pid for process in server.processes()))
    server.kill_group()
    server.start()
    assert_answered(server, run)
    step_log.traces()


def test_the_question_comes_back_when_an_answer_that_was_given_back_is_rolled_back(
    server: LiveServer, step_log: StepLog, asked: Run, starts: HeldStarts
) -> None:
    run = answer_and_begin(server, step_log, asked)
    path = f"{server.url}/threads/{run['thread_id']}/runs/{run['run_id']}"
    with starts.held():
        kill_worker(server, step_log)
        poll(lambda: get_run(server, run)["status"] == "pending", every=0.005)
        server.http.post(f"{path}/cancel?action=rollback").raise_for_status()
        poll(lambda: server.http.get(path).status_code == httpx.codes.NOT_FOUND)
    assert_asks(server, asked)
    assert_answered(server, answer(server, asked))
