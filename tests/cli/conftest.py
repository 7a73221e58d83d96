"""The command line as a process, and a server for it to talk to."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.handlers.contract.answers.check import VIOLATION

from .fake_server import FakeServer
from .processes import RUNYARD, Run, Start, environment


@pytest.fixture
def runyard(tmp_path: Path) -> Run:
    def run(*arguments: str | Path, stdin: bytes = b"", url: str = "") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [RUNYARD, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env=environment(url),
            timeout=240,
            check=False,
        )

    return run


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    processes = []

    def begin(*arguments: str | Path, url: str = "", **variables: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [RUNYARD, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=environment(url, **variables),
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield begin
    said = b""
    for process in processes:
        # The whole group: a server that was killed may leave workers.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        said += process.communicate()[1] or b""
    assert VIOLATION.encode() not in said, said


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.close()
