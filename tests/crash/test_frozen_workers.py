"""A worker that is stopped for longer than its lease, and then goes on as if nothing had happened."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.live_server import LiveServer, StartServer, poll
from tests.storage.postgres_server import address, schema_of

from .client import assert_each_step_once, attempt_of, get_run, join_run, run_payload, submit_batch
from .step_log import PROJECT, StepLog

LEASE = {"RUNYARD_LEASE_SECONDS": "1"}
ONE_WORKER = ("--workers", "1")


@pytest.mark.postgres
def test_the_runs_of_a_frozen_worker_are_finished_by_another(start_server: StartServer, step_log: StepLog) -> None:
    server = start_server(config=PROJECT, args=ONE_WORKER, env=LEASE)
    (frozen,) = server.await_workers(1)
    runs = submit_batch(server, [run_payload(step_log, steps=12, delay=0.15) for _ in range(20)])
    poll(lambda: step_log.started() > 30)
    os.kill(frozen, signal.SIGSTOP)
    seen = len(step_log.lines())
    for run in runs:
        assert_each_step_once(join_run(server, run), steps=12)
    assert not psutil.pid_exists(frozen), "its server has put an end to it: it must not wake up"
    by_pid = {line.split()[3] for line in step_log.lines()[seen:]}
    assert str(frozen) not in by_pid
    assert all(get_run(server, run)["status"] == "success" for run in runs)


@pytest.mark.full
@pytest.mark.postgres
def test_a_frozen_worker_of_a_killed_server_does_not_wake_up(start_server: StartServer, step_log: StepLog) -> None:
    """On one machine, and in one data directory. Whoever starts elsewhere waits for its lease, which is taken then."""
    server = start_server(config=PROJECT, args=ONE_WORKER, env={"RUNYARD_LEASE_SECONDS": "600"})
    (frozen,) = server.await_workers(1)
    runs = submit_batch(server, [run_payload(step_log, steps=6, delay=0.15) for _ in range(20)])
    poll(lambda: step_log.started() > 30)
    os.kill(frozen, signal.SIGSTOP)
    seen = len(step_log.lines())
    server.kill()
    server.start()
    for run in runs:
        assert_each_step_once(join_run(server, run), steps=6)
    poll(lambda: not psutil.pid_exists(frozen))
    by_pid = {line.split()[3] for line in step_log.lines()[seen:]}
    assert str(frozen) not in by_pid


@pytest.mark.full
@pytest.mark.postgres
def test_a_machine_that_sleeps_loses_nothing(start_server: StartServer, step_log: StepLog) -> None:
    """Everything is stopped for longer than the leases: nobody is dead when the server looks again."""
    server = start_server(config=PROJECT, env={"RUNYARD_LEASE_SECONDS": "3"})
    workers = server.await_workers(2)
    runs = submit_batch(server, [run_payload(step_log, steps=6, delay=0.15) for _ in range(20)])
    poll(lambda: step_log.started() > 30)
    os.killpg(server.pid, signal.SIGSTOP)
    time.sleep(6.5)  # what is tested is that time passes
    os.killpg(server.pid, signal.SIGCONT)
    for run in runs:
        assert_each_step_once(join_run(server, run), steps=6)
        assert attempt_of(get_run(server, run)) == 1
    assert sorted(server.workers()) == sorted(workers)


@pytest.mark.full
def test_a_machine_that_wakes_up_when_another_has_its_runs_goes_on_with_none(tmp_path: Path, step_log: StepLog) -> None:
    with closing(LiveServer(tmp_path / "one", config=PROJECT, args=ONE_WORKER, env=LEASE, backend="postgres")) as one:
        shared = {"RUNYARD_DATABASE": address(), "RUNYARD_DATABASE_SCHEMA": schema_of(tmp_path / "one"), **LEASE}
        with closing(LiveServer(tmp_path / "other", config=PROJECT, args=ONE_WORKER, env=shared)) as other:
            (frozen,) = one.start().await_workers(1)
            runs = submit_batch(one, [run_payload(step_log, steps=6, delay=0.15) for _ in range(20)])
            poll(lambda: step_log.started() > 30)
            os.killpg(one.pid, signal.SIGSTOP)
            poll(lambda: psutil.Process(frozen).status() == psutil.STATUS_STOPPED)
            begun = said(step_log, frozen)
            other.start()
            for run in runs:
                assert_each_step_once(join_run(other, run), steps=6)
            os.kill(frozen, signal.SIGCONT)  # before its server, which would end one that is stopped
            os.killpg(one.pid, signal.SIGCONT)
            stopped = poll(lambda: len(heard := said(step_log, frozen)[len(begun) :]) >= under_way(begun) and heard)
            assert {*(stopped or [])} == {"stop"}


def said(step_log: StepLog, worker: int) -> list[str]:
    """What the steps that a worker executes have logged."""
    return [line.split()[-1] for line in step_log.lines() if line.split()[3] == str(worker)]


def under_way(logged: list[str]) -> int:
    return logged.count("start") - logged.count("end")
