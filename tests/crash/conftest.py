"""`marks`: where the graphs of tests/crash/project leave their marks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.conftest import StartServer
from tests.live_server import LiveServer

from .marks import Marks

PROJECT = Path(__file__).parent / "project" / "langgraph.json"


OpenStorage = Callable[[LiveServer], Storage]


@pytest.fixture
def open_storage(start_server: StartServer) -> Iterator[OpenStorage]:
    """Opens the data of a server that has ended."""
    opened: list[Storage] = []

    def open_it(server: LiveServer) -> Storage:
        storage = SqliteStorage(server.data / "runyard.db")
        storage.open(maintain=False)
        opened.append(storage)
        return storage

    yield open_it
    for storage in opened:
        storage.close()


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(tmp_path / "marks")
