"""Starting, weighing and stopping the servers that are measured."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from scripts.bench_suite.client import Connection

PROJECT = Path(__file__).resolve().parent.parent / "bench_project"
_HOST = "127.0.0.1"
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0


class ServerFailed(RuntimeError):
    """A server did not start, or went away; the text ends with the last lines of its log."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Of all processes of a server, in MB (10^6 bytes): proportional set size, resident set size.

    Pages that processes share count once in `pss`, once for each process in `rss`. `largest_child`
    is the pss of the largest process but the first; for Runyard that is a worker.
    """

    pss: float
    rss: float
    processes: int
    largest_child: float


@dataclass(frozen=True, slots=True)
class Server:
    """One running server. `name`: "runyard" or "official"."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    data: Path

    def connect(self) -> Connection:
        return Connection(_HOST, self.port)

    def check(self) -> None:
        """Raise `ServerFailed` if the process is gone."""
        if self.process.poll() is not None:
            raise ServerFailed(f"{self.name} ended with code {self.process.returncode}:\n{_tail(self.log)}")

    def memory(self) -> Memory:
        first = psutil.Process(self.process.pid)
        weights = []
        for process in [first, *first.children(recursive=True)]:
            try:
                full = process.memory_full_info()
            except psutil.NoSuchProcess:
                continue
            weights.append((getattr(full, "pss", full.rss) / 1e6, full.rss / 1e6))
        return Memory(
            pss=sum(pss for pss, _ in weights),
            rss=sum(rss for _, rss in weights),
            processes=len(weights),
            largest_child=max((pss for pss, _ in weights[1:]), default=0.0),
        )

    def data_size(self) -> int:
        """Bytes in the data directory."""
        return sum(file.stat().st_size for file in self.data.rglob("*") if file.is_file())


@contextlib.asynccontextmanager
async def runyard(
    base: Path | None,
    workers: int | None,
    config: str = "langgraph.json",
    *,
    database: str | None = None,
    role: str = "all",
) -> AsyncIterator[Server]:
    """Runyard with this project, from this environment, on a free port and a fresh data directory under `base`, or on
    the Postgres with that connection string."""
    command = Path(sys.executable).parent / "runyard"
    if not command.exists():
        raise ServerFailed(f"{command} is missing: run scripts/install first")
    with _directory(base) as name:
        directory = Path(name)
        port = _free_port()
        data = directory / "data"
        arguments = [
            "serve",
            "--config",
            PROJECT / config,
            "--host",
            _HOST,
            "--port",
            port,
            "--data",
            data,
        ]
        if workers is not None:
            arguments += ["--workers", workers]
        if database is not None:
            arguments += ["--database", database, "--role", role]
        async with _serving("runyard", [command, *arguments], directory, port, data) as server:
            yield server


@contextlib.asynccontextmanager
async def official(venv: Path, base: Path | None) -> AsyncIterator[Server]:
    """The official development server from the environment `venv`, with the same graphs."""
    command = venv / "bin" / "langgraph"
    if not command.exists():
        raise ServerFailed(f"{command} is missing: --official names an environment with langgraph-cli[inmem]")
    with _directory(base) as name:
        directory = Path(name)
        # It keeps its state beside the configuration, so it gets a copy of its own.
        project = directory / "project"
        shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__", ".langgraph_api"))
        port = _free_port()
        options = ["--host", _HOST, "--port", port, "--allow-blocking", "--n-jobs-per-worker", 10]
        arguments = ["dev", "--no-browser", "--no-reload", "--config", project / "langgraph.json", *options]
        async with _serving("official", [command, *arguments], project, port, project) as server:
            yield server


@contextlib.asynccontextmanager
async def _serving(name: str, command: list[object], cwd: Path, port: int, data: Path) -> AsyncIterator[Server]:
    log = cwd / "server.log"
    process = await asyncio.to_thread(_start, command, cwd, log)
    server = Server(name, port, process, log, data)
    try:
        await _ready(server)
        yield server
        server.check()
    finally:
        await asyncio.to_thread(_stop, process)


def _start(command: list[object], cwd: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, "LANGSMITH_TRACING": "false", "LANGGRAPH_CLI_NO_ANALYTICS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the benchmark only, which then stops the server properly
        )


async def _ready(server: Server) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        server.check()
        connection = server.connect()
        try:
            answer = await connection.get("/ok")
        except OSError:
            await asyncio.sleep(0.1)
            continue
        finally:
            connection.close()
        if answer.status == 200:
            return
        await asyncio.sleep(0.1)
    raise ServerFailed(f"{server.name} did not answer /ok within {_START_SECONDS:.0f} s:\n{_tail(server.log)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    started: list[psutil.Process] = []
    if process.poll() is None:
        started = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # whatever is left of its session
    for child in started:  # psutil knows by the start time whether an id is still the same process
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    process.wait()


def _directory(base: Path | None) -> tempfile.TemporaryDirectory[str]:
    if base is not None:
        base.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="runyard-bench-", dir=base, ignore_cleanup_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _tail(log: Path, lines: int = 20) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
