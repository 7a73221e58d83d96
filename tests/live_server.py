"""`runyard serve` as a real process, for tests that need all of it: HTTP, workers, a database on disk."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar
from weakref import WeakSet

import httpx
import psutil
from psycopg.conninfo import make_conninfo

from runyard.handlers.contract.answers.check import VIOLATION
from tests.storage.postgres_server import address, schema_of
from tests.storage.prepared import clear_schema, lay_schema

RUNYARD = Path(sys.executable).parent / "runyard"
PROJECT = Path(__file__).parent / "sample_graphs" / "langgraph.json"
"""The project of the tests, whose graphs do a little of everything."""
START_TIME = 120.0
"""Seconds in which a server has to be ready; two seconds are usual, more when the machine is busy."""
PATIENCE = 60.0
"""Seconds in which all else has to come about."""

STARTED: WeakSet[LiveServer] = WeakSet()
"""All servers that tests use at the moment."""

Backend = Literal["sqlite", "postgres", "cluster"]
"""What keeps a server's data: a file of its own, or a schema of its own of the tests' Postgres; or several servers have
that schema together."""

T = TypeVar("T")


def poll(look: Callable[[], T], *, within: float = PATIENCE, every: float = 0.02) -> T:
    """Looks until the answer is true, and returns it; fails when that takes longer than `within` seconds."""
    until = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < until, f"not within {within:g} s: {look}"
        time.sleep(every)
    return found


class LiveServer:
    """One server on one data directory; it can be started again after any kind of end. Where Postgres keeps the data,
    the directory stands for them all the same.

    The server and everything that it starts share a process group of their own. `close` ends all of it,
    whatever happened before; what the server said is in the file `log`.
    """

    def __init__(
        self,
        data: Path,
        *,
        config: Path = PROJECT,
        args: tuple[str, ...] = ("--workers", "2"),
        env: Mapping[str, str] | None = None,
        program: Path = RUNYARD,
        backend: Backend = "sqlite",
    ) -> None:
        self.data = data
        self.backend = backend
        self.log = data.with_name(f"{data.name}.log")
        self.url = ""
        """Where it listens; a new one after each start."""
        self._config = config
        self._args = args
        self._env = {"RUNYARD_CHECK_ANSWERS": "1", **(env or {})}
        if backend == "postgres":
            lay_schema(data)
            schema = schema_of(data)
            database = make_conninfo(address(), application_name=schema)
            self._env |= {"RUNYARD_DATABASE": database, "RUNYARD_DATABASE_SCHEMA": schema}
        self._program = program
        # Plain HTTP needs no certificates, and loading them takes longer than most requests.
        self.http = httpx.Client(verify=False, timeout=1.5 * PATIENCE)
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: list[int] = []
        self._log_read = 0
        STARTED.add(self)

    def start(self, *, port: int = 0, env: Mapping[str, str] | None = None) -> LiveServer:
        """Returns when the server is ready. `env` holds for this start only."""
        assert self._process is None or self._process.poll() is not None, "it runs already"
        plain = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")}
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._program,
                    "serve",
                    "--config",
                    self._config,
                    "--port",
                    str(port),
                    "--data",
                    self.data,
                    *self._args,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.log.parent,
                env={**plain, **self._env, **(env or {})},
                start_new_session=True,
            )
        self._groups.append(self._process.pid)
        self.url = self._announced(self._process)
        return self

    def _announced(self, process: subprocess.Popen[bytes]) -> str:
        assert process.stdout is not None
        said = ""
        if select.select([process.stdout], [], [], START_TIME)[0]:
            said = process.stdout.readline().decode()
        address = re.search(r"http://\S+", said)
        if address is None:
            self.close()
            raise AssertionError(f"the server is not ready; it said: {said}{self.log.read_text()}")
        return address[0]

    @property
    def pid(self) -> int:
        """The API process."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def get(self, path: str) -> Any:
        """The JSON that a GET answers."""
        answer = self.http.get(f"{self.url}{path}")
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        """The JSON that a POST answers."""
        answer = self.http.post(f"{self.url}{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def metrics(self) -> dict[str, Any]:
        """The figures in short: `queue`, `runs`, `workers`, `api`."""
        figures: dict[str, Any] = self.get("/metrics?format=json")
        return figures

    def workers(self) -> list[int]:
        """The process ids of the connected workers."""
        return [process["pid"] for process in self.metrics()["workers"]["processes"]]

    def await_workers(self, count: int, *, within: float = START_TIME) -> list[int]:
        """The process ids of the workers, once there are so many."""
        return poll(lambda: len(pids := self.workers()) >= count and pids, within=within) or []

    def await_idle(self, *, within: float = 2 * PATIENCE) -> None:
        """Returns when nothing is left in the queue."""
        poll(lambda: not self._busy(), within=within, every=0.05)

    def _busy(self) -> bool:
        queue = self.metrics()["queue"]
        return bool(queue["pending"] or queue["running"])

    def violations(self) -> list[str]:
        """Answers that were not as the document says, since the last call."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as log:
            log.seek(self._log_read)
            said = log.read()
            self._log_read = log.tell()
        return [line for line in said.decode(errors="replace").splitlines() if VIOLATION in line]

    def processes(self) -> list[psutil.Process]:
        """Everything alive of all starts: servers, fork servers, workers."""
        return [process for process in psutil.process_iter() if self._is_own(process)]

    def _is_own(self, process: psutil.Process) -> bool:
        try:
            return os.getpgid(process.pid) in self._groups and process.status() != psutil.STATUS_ZOMBIE
        except (ProcessLookupError, psutil.Error):
            return False

    def use(self, config: Path) -> None:
        """Serves another project on the same data from the next start on."""
        self._config = config

    # Ends, from kind to sudden

    def stop(self, *, within: float = PATIENCE) -> int:
        """SIGTERM to the server, which ends the others; its exit code."""
        assert self._process is not None
        if self.alive:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(within)

    def kill(self) -> None:
        """SIGKILL to the API process alone: its workers find out by themselves."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def kill_group(self) -> None:
        """SIGKILL to everything at once, as when the power fails."""
        for group in self._groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def close(self) -> None:
        """Ends whatever is left, and returns when nothing runs any more."""
        self.kill_group()
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        self.http.close()
        poll(lambda: not self.processes())
        if self.backend == "postgres":
            clear_schema(self.data)


class StartServer(Protocol):
    """Starts a server; the same `name` is the same data directory."""

    def __call__(
        self,
        name: str = "data",
        *,
        config: Path = PROJECT,
        args: tuple[str, ...] = ("--workers", "2"),
        env: Mapping[str, str] | None = None,
    ) -> LiveServer: ...


class KeptServer(Protocol):
    """The server of a project that many tests share."""

    def __call__(self, config: Path, backend: Backend, workers: int) -> LiveServer: ...
