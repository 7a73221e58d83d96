"""Workers as processes of this machine: what is seen of one that is stopped or killed, and how it is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.runtime.storage.sqlite.workers.worker_locks import WorkerLocks

REGISTER = """
import sys
from pathlib import Path
from runyard.runtime.storage.sqlite.workers.worker_locks import WorkerLocks
WorkerLocks(Path(sys.argv[1])).take("worker")
print("there", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is registered as `worker` in the folder."""
    command = [sys.executable, "-c", REGISTER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        yield process
        process.kill()


@pytest.fixture
def locks(tmp_path: Path) -> WorkerLocks:
    return WorkerLocks(tmp_path)


def stop(worker: subprocess.Popen[str]) -> None:
    worker.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, worker.pid, os.WSTOPPED)


def test_a_stopped_worker_is_seen_and_ended(worker: subprocess.Popen[str], locks: WorkerLocks) -> None:
    assert locks.states() == {"worker": "running"}
    stop(worker)
    assert locks.states() == {"worker": "stopped"}
    assert locks.kill("worker")
    assert worker.wait() == -signal.SIGKILL
    assert locks.states() == {}


def test_a_look_changes_nothing(worker: subprocess.Popen[str], locks: WorkerLocks, tmp_path: Path) -> None:
    worker.kill()
    worker.wait()
    before = sorted(os.listdir(tmp_path))
    assert locks.states() == {}
    assert sorted(os.listdir(tmp_path)) == before
    locks.forget("worker")
    assert "worker" not in os.listdir(tmp_path)


def test_the_next_server_ends_stopped_workers_and_spares_running_ones(
    worker: subprocess.Popen[str], locks: WorkerLocks
) -> None:
    locks.sweep()
    assert worker.poll() is None
    assert locks.states() == {"worker": "running"}
    stop(worker)
    locks.sweep()
    assert worker.wait() == -signal.SIGKILL
