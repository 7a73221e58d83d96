"""`--workers 0`: API and worker are one process."""

from __future__ import annotations

import httpx
import pytest

from tests.live_server import StartServer, poll

from .client import assert_each_step_once, attempt_of, get_run, join_run, run_payload, submit_batch
from .step_log import PROJECT, StepLog

ONE_PROCESS = ("--workers", "0")


def test_a_long_run_is_left_to_the_worker_that_has_it(start_server: StartServer, step_log: StepLog) -> None:
    server = start_server(config=PROJECT, args=ONE_PROCESS, env={"RUNYARD_LEASE_SECONDS": "1"})
    (run,) = submit_batch(server, [run_payload(step_log, steps=3, delay=0.7)])
    assert_each_step_once(join_run(server, run), steps=3)
    assert attempt_of(get_run(server, run)) == 1
    assert step_log.started() == 5


@pytest.mark.full
def test_a_deadly_run_kills_the_server_once_and_is_then_left_to_a_process_of_its_own(
    start_server: StartServer, step_log: StepLog
) -> None:
    server = start_server(config=PROJECT, args=ONE_PROCESS, env={"RUNYARD_MAX_ATTEMPTS": "2"})
    deadly, innocent = run_payload(step_log, graph="deadly", deadly=True, delay=0.3), run_payload(step_log)
    runs = submit_batch(server, [deadly, innocent])
    poll(lambda: not server.alive)
    server.start()
    assert join_run(server, runs[0])["__error__"]["error"] == "WorkerLost"
    assert_each_step_once(join_run(server, runs[1]))
    assert attempt_of(get_run(server, runs[0])) == 2
    assert httpx.get(f"{server.url}/ok", timeout=60).json()["ok"] is True
