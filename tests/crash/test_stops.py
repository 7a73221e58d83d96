"""Cancels and rollbacks of runs whose worker is frozen, killed, or was killed before."""

from __future__ import annotations

import os
import signal
from typing import Any

import httpx
import pytest

from tests.live_server import LiveServer, StartServer, poll

from .client import assert_each_step_once, get_run, join_run, run_payload
from .held_starts import HeldStarts
from .step_log import PROJECT, StepLog

pytestmark = pytest.mark.full

STEPS = 5000
"""So many that no run ends before the test ends it."""
Run = dict[str, Any]


@pytest.fixture
def server(start_server: StartServer, starts: HeldStarts) -> LiveServer:
    return start_server(config=PROJECT, args=("--workers", "1"), env=starts.env)


@pytest.fixture
def thread(server: LiveServer, step_log: StepLog) -> str:
    """A thread on which a run of two steps has ended."""
    thread_id: str = server.post("/threads", {})["thread_id"]
    join_run(server, create_run(server, step_log, thread_id, steps=2, delay=0.0))
    return thread_id


def create_run(server: LiveServer, step_log: StepLog, thread_id: str, **fields: Any) -> Run:
    payload = run_payload(step_log, **{"steps": STEPS, "delay": 0.1, **fields})
    del payload["on_completion"]
    run: Run = server.post(f"/threads/{thread_id}/runs", payload)
    return run


def create_half_done(server: LiveServer, step_log: StepLog, thread_id: str) -> Run:
    """A run that has done some of its steps."""
    before = step_log.started()
    run = create_run(server, step_log, thread_id)
    poll(lambda: step_log.started() > before + 3)
    return run


def cancel(server: LiveServer, run: Run, *, action: str) -> None:
    path = f"/threads/{run['thread_id']}/runs/{run['run_id']}/cancel?action={action}"
    server.http.post(f"{server.url}{path}").raise_for_status()


def kill_worker(server: LiveServer, step_log: StepLog) -> int:
    (pid,) = server.await_workers(1)
    step_log.note_kill(pid)
    os.kill(pid, signal.SIGKILL)
    return pid


def await_given_back(server: LiveServer, run: Run) -> None:
    poll(lambda: get_run(server, run)["status"] == "pending", every=0.005)


def await_removed(server: LiveServer, run: Run) -> None:
    path = f"{server.url}/threads/{run['thread_id']}/runs/{run['run_id']}"
    poll(lambda: server.http.get(path).status_code == httpx.codes.NOT_FOUND)


def assert_state_before(server: LiveServer, thread_id: str) -> None:
    """State, history and values are those of the first run alone."""
    thread, state = server.get(f"/threads/{thread_id}"), server.get(f"/threads/{thread_id}/state")
    assert_each_step_once(state["values"], steps=2)
    assert thread["values"] == state["values"]
    assert (thread["status"], state["next"]) == ("idle", [])
    history = server.get(f"/threads/{thread_id}/history?limit=100")
    assert max(len(item["values"].get("done") or []) for item in history) == 2


def test_a_run_that_is_cancelled_while_its_worker_is_killed_ends_as_interrupted(
    server: LiveServer, step_log: StepLog, thread: str, starts: HeldStarts
) -> None:
    run = create_half_done(server, step_log, thread)
    with starts.held():
        kill_worker(server, step_log)
        cancel(server, run, action="interrupt")
        poll(lambda: get_run(server, run)["status"] not in ("pending", "running"))
    assert get_run(server, run)["status"] == "interrupted"
    assert not any(attempt > 1 for attempt in attempts_of(step_log, run)), "what was cancelled is not tried again"
    again = create_run(server, step_log, thread, steps=0, delay=0.0)
    join_run(server, again)
    assert get_run(server, again)["status"] == "success"


def test_a_run_that_is_cancelled_when_it_was_given_back_ends_as_interrupted(
    server: LiveServer, step_log: StepLog, thread: str, starts: HeldStarts
) -> None:
    run = create_half_done(server, step_log, thread)
    with starts.held():
        kill_worker(server, step_log)
        await_given_back(server, run)
        cancel(server, run, action="interrupt")
        assert get_run(server, run)["status"] == "interrupted"


def test_a_run_that_is_cancelled_while_its_worker_is_frozen_ends_as_interrupted(
    server: LiveServer, step_log: StepLog, thread: str, starts: HeldStarts
) -> None:
    run = create_half_done(server, step_log, thread)
    with starts.held():  # also one beside a worker that does not answer for seconds
        (frozen,) = server.await_workers(1)
        os.kill(frozen, signal.SIGSTOP)
        cancel(server, run, action="interrupt")
        kill_worker(server, step_log)
    poll(lambda: get_run(server, run)["status"] not in ("pending", "running"))
    assert get_run(server, run)["status"] == "interrupted"


@pytest.mark.parametrize("at", ["killed", "frozen"])
def test_a_rollback_while_the_worker_dies_leaves_nothing(
    server: LiveServer, step_log: StepLog, thread: str, starts: HeldStarts, at: str
) -> None:
    run = create_half_done(server, step_log, thread)
    if at == "frozen":
        with starts.held():  # also one beside a worker that does not answer for seconds
            (frozen,) = server.await_workers(1)
            os.kill(frozen, signal.SIGSTOP)
            cancel(server, run, action="rollback")
            kill_worker(server, step_log)
    else:
        kill_worker(server, step_log)
        cancel(server, run, action="rollback")
    await_removed(server, run)
    assert_state_before(server, thread)


def test_what_a_cancelled_run_had_done_before_it_was_given_back_is_shown_by_its_thread(
    server: LiveServer, step_log: StepLog, thread: str, starts: HeldStarts
) -> None:
    run = create_half_done(server, step_log, thread)
    with starts.held():
        kill_worker(server, step_log)
        await_given_back(server, run)
        cancel(server, run, action="interrupt")
    shown, state = server.get(f"/threads/{thread}"), server.get(f"/threads/{thread}/state")
    assert shown["values"] == state["values"]


def test_the_rollback_of_a_run_that_was_given_back_leaves_nothing(
    server: LiveServer, step_log: StepLog, thread: str, starts: HeldStarts
) -> None:
    run = create_half_done(server, step_log, thread)
    with starts.held():
        kill_worker(server, step_log)
        await_given_back(server, run)
        cancel(server, run, action="rollback")
    await_removed(server, run)
    assert_state_before(server, thread)


def test_a_run_that_replaces_one_that_was_given_back_begins_at_the_state_before(
    server: LiveServer, step_log: StepLog, thread: str, starts: HeldStarts
) -> None:
    run = create_half_done(server, step_log, thread)
    with starts.held():
        kill_worker(server, step_log)
        await_given_back(server, run)
        extra = {"multitask_strategy": "rollback"}
        other = create_run(server, step_log, thread, steps=3, delay=0.0, extra=extra)
    answer = join_run(server, other)
    assert answer["done"] == [0, 1, 2]
    await_removed(server, run)
    assert server.get(f"/threads/{thread}/state")["values"]["done"] == [0, 1, 2]


def test_the_rollback_of_a_run_that_goes_on_after_a_kill_leaves_nothing(
    server: LiveServer, step_log: StepLog, thread: str
) -> None:
    run = create_half_done(server, step_log, thread)
    kill_worker(server, step_log)
    poll(lambda: 2 in attempts_of(step_log, run))
    cancel(server, run, action="rollback")
    await_removed(server, run)
    assert_state_before(server, thread)


def attempts_of(step_log: StepLog, run: Run) -> set[int]:
    return {int(line.split()[1]) for line in step_log.lines() if line.startswith(run["run_id"])}
