"""Runyard in the environment that a project has anyway, beside the official CLI and its server: both start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.live_server import LiveServer, poll
from tests.programs import require_program

from .environments import INSTALL_TIME, run, write_project

OFFICIAL = "langgraph-cli[inmem]"
START_TIME = 60.0
"""Seconds in which the official server has to answer; ten are usual."""

pytestmark = [pytest.mark.full, pytest.mark.timeout(2 * INSTALL_TIME)]


def install_with_pip(environment: Path, wheel: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--python", environment / "bin" / "python")
    run(*pip, "install", "--quiet", wheel, OFFICIAL, cwd=environment)
    run(*pip, "check", cwd=environment)


def install_with_uv(environment: Path, wheel: Path) -> None:
    uv = require_program("uv", why="installing with uv beside the official CLI")
    to = ("--python", environment / "bin" / "python")
    run(uv, "pip", "install", "--quiet", *to, wheel, OFFICIAL, cwd=environment)
    run(uv, "pip", "check", *to, cwd=environment)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ok", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("install", [install_with_pip, install_with_uv], ids=["pip", "uv"])
def test_runyard_and_the_official_server_start_in_one_environment(
    tmp_path: Path, wheel: Path, install: Callable[[Path, Path], None]
) -> None:
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    install(environment, wheel)
    config = write_project(tmp_path)

    server = LiveServer(tmp_path / "data", config=config, program=environment / "bin" / "runyard")
    try:
        server.start()
        assert server.post("/runs/wait", {"assistant_id": "agent", "input": {"number": 21}}) == {"number": 42}
    finally:
        server.close()

    port = free_port()
    with (tmp_path / "official.log").open("wb") as log:
        official = subprocess.Popen(
            [environment / "bin" / "langgraph", "dev", "--port", str(port), "--no-browser", "--no-reload"],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "LANGSMITH_TRACING": "false"},
            start_new_session=True,
        )
    try:
        poll(lambda: answers(f"http://127.0.0.1:{port}"), within=START_TIME, every=0.2)
    finally:
        os.killpg(official.pid, signal.SIGKILL)
        official.wait()
