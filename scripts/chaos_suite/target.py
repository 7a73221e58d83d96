"""The server under test: a real one on loopback, with a data directory that outlives each of its processes."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from pathlib import Path

import psutil

from scripts.chaos_suite.plain import PROJECT
from tests.live_server import LiveServer

LEASE_SECONDS = 3
WORKERS = 2
_HOST = "127.0.0.1"


class Disk:
    """Where the data lies: a small file system of its own where mounting is permitted, else a folder."""

    def __init__(self, folder: Path, *, megabytes: int = 256) -> None:
        self.folder = folder
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "runyard-chaos", str(folder)]
        self.own = False
        with contextlib.suppress(OSError):
            self.own = subprocess.run(command, capture_output=True, timeout=10).returncode == 0
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leaves no byte free. Only for a file system of its own."""
        with contextlib.suppress(OSError), self._filler.open("wb", buffering=0) as file:
            for size in (2**20, 4096):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        if self.own:
            subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, timeout=10)


class Target:
    """Starts, restarts and ends the server; knows its processes."""

    def __init__(self, folder: Path, env: dict[str, str], args: tuple[str, ...] = ()) -> None:
        self.disk = Disk(folder / "disk")
        self.data = self.disk.folder / "data"
        self.marks = folder / "marks"
        self.marks.mkdir()
        with socket.socket() as probe:
            probe.bind((_HOST, 0))
            self._port = int(probe.getsockname()[1])
        self.server = LiveServer(
            self.data,
            config=PROJECT,
            args=("--workers", str(WORKERS), *args),
            env={
                "CHAOS_MARKS": str(self.marks),
                "RUNYARD_LEASE_SECONDS": str(LEASE_SECONDS),
                "RUNYARD_SHUTDOWN_GRACE": "2",
                # So many that no run ends since other causes than itself killed its workers.
                "RUNYARD_MAX_ATTEMPTS": "1000",
                **env,
            },
        )
        self.server.log = folder / "server.log"

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self._port}"

    def start(self) -> None:
        """Returns when the server is ready. Raises AssertionError when it does not get so in time."""
        self.server.start(port=self._port)

    def workers(self) -> list[psutil.Process]:
        """The worker processes: what the process that forks them has started."""
        with contextlib.suppress(psutil.Error):
            children = psutil.Process(self.server.pid).children()
            return [worker for child in children for worker in child.children()]
        return []

    def signal_all(self, number: int) -> None:
        """To every process of every start."""
        for process in self.server.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)

    def end(self) -> list[str]:
        """Stops in order and answers what was wrong with that: processes that stay behind."""
        found = []
        try:
            code = self.server.stop(within=40)
            if code != 0:
                found.append(f"the server ended with code {code}")
        except subprocess.TimeoutExpired:
            found.append("the server did not stop within 40 s of SIGTERM")
        until = time.monotonic() + 10
        while (left := self.server.processes()) and time.monotonic() < until:
            time.sleep(0.1)
        found += [f"process {process.pid} is left behind: {' '.join(_command(process))}" for process in left]
        return found

    def close(self) -> None:
        """Ends whatever is left."""
        self.server.close()
        self.disk.close()


def _command(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []
