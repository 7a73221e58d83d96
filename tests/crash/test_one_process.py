"""`--workers 0`: API and worker are one process."""

from __future__ import annotations

import httpx

from tests.conftest import StartServer
from tests.live_server import poll

from .client import assert_right, find, join, payload, submit
from .conftest import PROJECT
from .marks import Marks

ONE_PROCESS = ("--workers", "0")


def test_a_long_run_is_left_to_the_worker_that_has_it(start_server: StartServer, marks: Marks) -> None:
    server = start_server(config=PROJECT, args=ONE_PROCESS, env={"RUNYARD_LEASE_SECONDS": "1"})
    (run,) = submit(server, [payload(marks, steps=3, delay=0.7)])
    assert_right(join(server, run), steps=3)
    assert find(server, run)["kwargs"]["config"]["metadata"]["run_attempt"] == 1
    assert marks.started() == 5


def test_a_deadly_run_kills_the_server_once_and_is_then_left_to_a_process_of_its_own(
    start_server: StartServer, marks: Marks
) -> None:
    server = start_server(config=PROJECT, args=ONE_PROCESS, env={"RUNYARD_MAX_ATTEMPTS": "2"})
    deadly, innocent = payload(marks, graph="fragile", deadly=True, delay=0.3), payload(marks)
    runs = submit(server, [deadly, innocent])
    poll(lambda: not server.alive)
    server.start()
    assert join(server, runs[0])["__error__"]["error"] == "WorkerLost"
    assert_right(join(server, runs[1]))
    assert find(server, runs[0])["kwargs"]["config"]["metadata"]["run_attempt"] == 2
    assert httpx.get(f"{server.url}/ok").json()["ok"] is True
