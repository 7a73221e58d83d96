"""Where the graphs of tests/crash/project log their steps, and what a server that has ended left in its database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.runtime.storage.port.storage import Storage
from tests.live_server import LiveServer, StartServer

from .held_starts import HeldStarts
from .step_log import StepLog
from .stored_data import OpenStorage, open_storage_of


@pytest.fixture
def open_storage(start_server: StartServer) -> Iterator[OpenStorage]:
    """Opens the data of servers that have ended; closed at the end of the test."""
    opened: list[Storage] = []

    def open_it(server: LiveServer) -> Storage:
        opened.append(open_storage_of(server))
        return opened[-1]

    yield open_it
    for storage in opened:
        storage.close()


@pytest.fixture
def starts(tmp_path: Path) -> HeldStarts:
    """Keeps workers from starting, for servers with its environment."""
    return HeldStarts(tmp_path / "held-starts")


@pytest.fixture
def step_log(tmp_path: Path) -> StepLog:
    """Where the graphs of this test log their steps."""
    return StepLog(tmp_path / "step.log")
