"""Where the graphs of tests/crash/project log their steps, and what a server that has ended left in its database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.live_server import LiveServer, StartServer

from .step_log import StepLog

PROJECT = Path(__file__).parent / "project" / "langgraph.json"

OpenStorage = Callable[[LiveServer], Storage]


@pytest.fixture
def open_storage(start_server: StartServer) -> Iterator[OpenStorage]:
    """Opens the data of a server that has ended."""
    opened: list[Storage] = []

    def open_it(server: LiveServer) -> Storage:
        storage = SqliteStorage(server.data / "runyard.db")
        storage.open(tend=False)
        opened.append(storage)
        return storage

    yield open_it
    for storage in opened:
        storage.close()


@pytest.fixture
def step_log(tmp_path: Path) -> StepLog:
    """Where the graphs of this test log their steps."""
    return StepLog(tmp_path / "step.log")
