"""What is disturbed: servers on loopback, and a database that outlives each of their processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from scripts.chaos_suite.clock import Clock
from scripts.chaos_suite.databases import Database
from scripts.chaos_suite.plain import PROJECT
from scripts.chaos_suite.timing import LEASE_SECONDS
from tests.live_server import LiveServer

HOST = "127.0.0.1"
_STOP_SECONDS = 40.0


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Member:
    """One server, which keeps its port and its data directory through all of its starts."""

    def __init__(
        self, name: str, data: Path, clock: Clock, *, args: tuple[str, ...], env: Mapping[str, str], workers: int
    ) -> None:
        """`workers`: how many worker processes it has, as `args` say."""
        self.name = name
        self.clock = clock
        self.workers = workers
        self.port = free_port()
        settings = {
            "RUNYARD_LEASE_SECONDS": str(LEASE_SECONDS),
            "RUNYARD_SHUTDOWN_GRACE": "2",
            # So many that no run ends since other causes than itself killed its workers.
            "RUNYARD_MAX_ATTEMPTS": "1000",
        }
        self.server = LiveServer(data, config=PROJECT, args=args, env={**settings, **clock.env, **env})

    def start(self) -> None:
        """Returns when it is ready. Raises AssertionError when it does not get so in time."""
        self.server.start(port=self.port)

    def log_end(self) -> str:
        return self.server.log.read_text(errors="replace")[-800:]

    def worker_processes(self) -> list[psutil.Process]:
        """What the process that forks them has started."""
        with contextlib.suppress(psutil.Error):
            children = psutil.Process(self.server.pid).children()
            return [worker for child in children for worker in child.children()]
        return []


class Target(ABC):
    """Starts, restarts and ends the servers; knows their processes."""

    database: Database
    """What the database says, read from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.marks = folder / "marks"
        self.marks.mkdir()
        self.members: list[Member] = []

    @property
    @abstractmethod
    def api(self) -> list[Member]:
        """Those that clients talk to."""

    @abstractmethod
    def connected(self) -> int:
        """How many worker processes are at work, as far as can be seen from outside."""

    @property
    def urls(self) -> list[str]:
        return [f"http://{HOST}:{member.port}" for member in self.api]

    @property
    def workers(self) -> int:
        """How many worker processes there have to be."""
        return sum(member.workers for member in self.members)

    def start(self, members: list[Member] | None = None) -> None:
        """Starts servers at once, all by default, and returns when they are ready. Raises AssertionError when one does
        not get so in time."""
        members = self.members if members is None else members
        with ThreadPoolExecutor(len(members)) as pool:
            for _ in pool.map(Member.start, members):
                pass

    def recover(self) -> None:
        """Ends all servers and starts them anew, after something went wrong."""
        for member in self.members:
            member.server.kill_group()
        self.start()

    def worker_processes(self) -> list[psutil.Process]:
        """Of all servers."""
        return [process for member in self.members for process in member.worker_processes()]

    def processes(self) -> list[psutil.Process]:
        """Everything alive of all starts of all servers."""
        return [process for member in self.members for process in member.server.processes()]

    def signal_all(self, number: int) -> None:
        """To every process of every start."""
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)

    def end(self) -> list[str]:
        """Stops in order and answers what was wrong with that: processes that stay behind."""
        found = []
        for member in self.members:
            try:
                code = member.server.stop(within=_STOP_SECONDS)
                if code != 0:
                    found.append(f"{member.name} ended with code {code}")
            except subprocess.TimeoutExpired:
                found.append(f"{member.name} did not stop within {_STOP_SECONDS:g} s of SIGTERM")
        until = time.monotonic() + 10
        while (left := self.processes()) and time.monotonic() < until:
            time.sleep(0.1)
        found += [f"process {process.pid} is left behind: {' '.join(_command(process))}" for process in left]
        return found

    def close(self) -> None:
        """Ends whatever is left."""
        for member in self.members:
            member.server.close()

    def keep(self, folder: Path) -> None:
        """Copies into a folder what helps to find the cause of a finding: the logs and the marks."""
        folder.mkdir(parents=True, exist_ok=True)
        for member in self.members:
            with contextlib.suppress(OSError):
                shutil.copy(member.server.log, folder / f"{member.name}.log")
        shutil.copytree(self.marks, folder / "marks", dirs_exist_ok=True)


def _command(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []
