"""What the server needs fails for longer than any lease, and comes back: nobody was killed, and nobody is missing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from tests.live_server import LiveServer, StartServer, poll

from .client import assert_each_step_once, join_run, run_payload, submit_batch
from .step_log import PROJECT, StepLog

pytestmark = pytest.mark.full

LEASE = {"RUNYARD_LEASE_SECONDS": "1.5"}
LONG = 5.0
"""Seconds: some leases."""


@contextmanager
def locked(server: LiveServer) -> Iterator[None]:
    """Another program writes and comes to no end."""
    with contextlib.closing(sqlite3.connect(server.data / "runyard.db", isolation_level=None)) as connection:
        connection.execute("begin immediate")
        yield
        connection.execute("rollback")


@contextmanager
def file_locked(server: LiveServer) -> Iterator[None]:
    """Another process holds the lock around writes, as one that is stopped within a transaction does."""
    with (server.data / "runyard.db.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def full_disk(server: LiveServer) -> Iterator[None]:
    """No file grows any more, for any process of the server, and nothing is left to be written over."""
    for process in server.processes():
        process.rlimit(psutil.RLIMIT_FSIZE, (65_536, resource.RLIM_INFINITY))
    yield
    for process in server.processes():
        process.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def begun_runs(server: LiveServer, step_log: StepLog) -> list[dict[str, Any]]:
    """Twenty of six steps each, in the middle of them."""
    runs = submit_batch(server, [run_payload(step_log, steps=6, delay=0.1) for _ in range(20)])
    poll(lambda: step_log.started() > 30)
    return runs


OUTAGES = {"locked": locked, "file locked": file_locked, "full disk": full_disk}


@pytest.mark.parametrize("outage", OUTAGES)
def test_writing_that_stalls_for_long_is_nobodys_death(
    start_server: StartServer, step_log: StepLog, outage: str
) -> None:
    server = start_server(config=PROJECT, env=LEASE)
    workers, runs = server.await_workers(2), begun_runs(server, step_log)
    with OUTAGES[outage](server):
        time.sleep(LONG)  # what is tested is that time passes
    for run in runs:
        assert_each_step_once(join_run(server, run), steps=6)
    assert sorted(server.workers()) == sorted(workers)
    assert server.get("/ok")["ok"] is True


@pytest.mark.parametrize("outage", OUTAGES)
def test_workers_that_die_in_an_outage_are_replaced_after_it(
    start_server: StartServer, step_log: StepLog, outage: str
) -> None:
    server = start_server(config=PROJECT, env=LEASE)
    workers, runs = server.await_workers(2), begun_runs(server, step_log)
    with OUTAGES[outage](server):
        step_log.note_kill(*workers)
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        time.sleep(LONG)  # what is tested is that time passes
    for run in runs:
        assert_each_step_once(join_run(server, run), steps=6)
    poll(lambda: len(server.workers()) == 2)


def test_a_frozen_worker_that_holds_the_lock_is_found_and_ended(start_server: StartServer, step_log: StepLog) -> None:
    server = start_server(config=PROJECT, args=("--workers", "1"), env=LEASE)
    (frozen,) = server.await_workers(1)
    with file_locked(server):  # what a worker that was stopped within a transaction looks like to the others
        os.kill(frozen, signal.SIGSTOP)
        poll(lambda: not psutil.pid_exists(frozen))
    (run,) = submit_batch(server, [run_payload(step_log)])
    assert_each_step_once(join_run(server, run))


def test_a_lack_of_descriptors_costs_no_worker(start_server: StartServer, step_log: StepLog) -> None:
    server = start_server(config=PROJECT, args=("--workers", "1"))
    (worker,) = server.await_workers(1)
    api = psutil.Process(server.pid)
    limits = api.rlimit(psutil.RLIMIT_NOFILE)
    api.rlimit(psutil.RLIMIT_NOFILE, (api.num_fds() + 1, limits[1]))
    os.kill(worker, signal.SIGKILL)
    poll(lambda: "Too many open files" in server.log.read_text())
    api.rlimit(psutil.RLIMIT_NOFILE, limits)
    poll(lambda: len(server.workers()) == 1)
    (run,) = submit_batch(server, [run_payload(step_log)])
    assert_each_step_once(join_run(server, run))


def test_a_deleted_socket_is_made_anew(start_server: StartServer, step_log: StepLog) -> None:
    server = start_server(config=PROJECT, args=("--workers", "1"))
    (worker,) = server.await_workers(1)
    (server.data / "bus").unlink()
    poll(lambda: (server.data / "bus").exists())
    os.kill(worker, signal.SIGKILL)
    poll(lambda: (pids := server.workers()) and worker not in pids)
    (run,) = submit_batch(server, [run_payload(step_log)])
    assert_each_step_once(join_run(server, run))
