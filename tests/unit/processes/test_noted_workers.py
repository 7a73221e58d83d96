"""What is known of workers whose server was killed: only what their processes prove."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runyard.runtime.background.process_identity import ProcessIdentity
from runyard.runtime.processes.noted_workers import end_left, forget_worker, note_worker


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def identity_of(process: subprocess.Popen[bytes]) -> ProcessIdentity:
    identity = ProcessIdentity.of(process.pid)
    assert identity is not None
    return identity


def note(folder: Path, name: str, text: str) -> None:
    (folder / "workers").mkdir(exist_ok=True)
    (folder / "workers" / name).write_text(text)


def test_a_worker_that_is_stopped_is_ended(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    note(tmp_path, "frozen", identity_of(process).dump())
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    assert end_left(tmp_path) == {"frozen"}
    assert process.wait() == -signal.SIGKILL


def test_a_worker_that_runs_is_left_to_its_end(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    note(tmp_path, "runs", identity_of(process).dump())
    assert end_left(tmp_path) == set()
    assert process.poll() is None


def test_another_process_with_its_id_is_nobodys_worker(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    note(tmp_path, "earlier", replace(identity_of(process), started="0").dump())
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    assert end_left(tmp_path) == {"earlier"}
    assert identity_of(process).state() == "stopped", "and goes on to be"


@pytest.mark.parametrize("text", ["", "{", '{"pid": 1}'])
def test_what_is_not_readable_says_nothing(tmp_path: Path, text: str) -> None:
    note(tmp_path, "unknown", text)
    assert end_left(tmp_path) == set()


def test_nothing_is_said_of_another_machine(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    note(tmp_path, "elsewhere", replace(identity_of(process), place="another boot").dump())
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    assert end_left(tmp_path) == set()
    assert process.poll() is None


def test_a_worker_that_was_seen_out_is_forgotten(tmp_path: Path) -> None:
    note_worker(tmp_path, "worker")
    assert (tmp_path / "workers" / "worker").exists()
    forget_worker(tmp_path, "worker")
    forget_worker(tmp_path, "worker")
    assert list((tmp_path / "workers").iterdir()) == []
