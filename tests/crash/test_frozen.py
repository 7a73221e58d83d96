"""A worker that is stopped for longer than its lease, and then goes on as if nothing had happened."""

from __future__ import annotations

import os
import signal
import time

import psutil

from tests.conftest import StartServer
from tests.live_server import poll

from .client import assert_right, find, join, payload, submit
from .conftest import PROJECT
from .marks import Marks

LEASE = {"RUNYARD_LEASE_SECONDS": "1"}
ONE_WORKER = ("--workers", "1")


def test_the_runs_of_a_frozen_worker_are_finished_by_another(start_server: StartServer, marks: Marks) -> None:
    server = start_server(config=PROJECT, args=ONE_WORKER, env=LEASE)
    (frozen,) = server.await_workers(1)
    runs = submit(server, [payload(marks, steps=6, delay=0.15) for _ in range(20)])
    poll(lambda: marks.started() > 30)
    os.kill(frozen, signal.SIGSTOP)
    seen = len(marks.lines())
    for run in runs:
        assert_right(join(server, run), steps=6)
    assert not psutil.pid_exists(frozen), "its server has put an end to it: it must not wake up"
    by_pid = {line.split()[3] for line in marks.lines()[seen:]}
    assert str(frozen) not in by_pid
    assert all(find(server, run)["status"] == "success" for run in runs)


def test_a_frozen_worker_of_a_killed_server_does_not_wake_up(start_server: StartServer, marks: Marks) -> None:
    server = start_server(config=PROJECT, args=ONE_WORKER, env=LEASE)
    (frozen,) = server.await_workers(1)
    runs = submit(server, [payload(marks, steps=6, delay=0.15) for _ in range(20)])
    poll(lambda: marks.started() > 30)
    os.kill(frozen, signal.SIGSTOP)
    seen = len(marks.lines())
    server.kill()
    server.start()
    for run in runs:
        assert_right(join(server, run), steps=6)
    poll(lambda: not psutil.pid_exists(frozen))
    by_pid = {line.split()[3] for line in marks.lines()[seen:]}
    assert str(frozen) not in by_pid


def test_a_machine_that_sleeps_loses_nothing(start_server: StartServer, marks: Marks) -> None:
    """Everything is stopped for longer than the leases: nobody is dead when the server looks again."""
    server = start_server(config=PROJECT, env=LEASE)
    workers = server.await_workers(2)
    runs = submit(server, [payload(marks, steps=6, delay=0.15) for _ in range(20)])
    poll(lambda: marks.started() > 30)
    os.killpg(server.pid, signal.SIGSTOP)
    time.sleep(2.5)  # what is tested is that time passes
    os.killpg(server.pid, signal.SIGCONT)
    for run in runs:
        assert_right(join(server, run), steps=6)
        assert find(server, run)["kwargs"]["config"]["metadata"]["run_attempt"] == 1
    assert sorted(server.workers()) == sorted(workers)
