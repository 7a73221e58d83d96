"""A server of the present revision on the data directory of an earlier one."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langgraph_sdk import get_sync_client
from langgraph_sdk.client import SyncLangGraphClient

from tests.live_server import LiveServer

from .expected import PROJECT, WORKERS, Expected, RunName, archive, settings


@dataclass
class Revived:
    """All runs whose time has come have ended."""

    expected: Expected
    server: LiveServer
    client: SyncLangGraphClient

    def join(self, run: RunName) -> Any:
        """What the run answers, once it has ended."""
        return self.client.runs.join(run["thread_id"], run["run_id"])

    def find(self, run: RunName) -> Any:
        """The run as it is now."""
        return self.client.runs.get(run["thread_id"], run["run_id"])

    def thread(self, thread_id: str) -> Any:
        """The thread as it is now."""
        return self.client.threads.get(thread_id)

    def values(self, thread_id: str) -> Any:
        """The values of the thread's latest checkpoint."""
        return self.client.threads.get_state(thread_id)["values"]


@contextmanager
def unpacked(expected: Expected, directory: Path) -> Iterator[LiveServer]:
    """A server, not started yet, on the directory as it was left. The gate is open for the runs that were held."""
    with tarfile.open(archive(expected["revision"])) as tar:
        tar.extractall(directory / "data", filter="data")
    gate = directory / "gate"
    gate.touch()
    server = LiveServer(directory / "data", config=PROJECT, args=WORKERS, env=settings(gate))
    try:
        yield server
    finally:
        server.close()


@contextmanager
def revived(expected: Expected, server: LiveServer) -> Iterator[Revived]:
    """Starts the server, and waits for the runs."""
    server.start()
    with get_sync_client(url=server.url, api_key=None) as client:
        it = Revived(expected, server, client)
        for run in expected["accepted"]:
            it.join(run)
        yield it
