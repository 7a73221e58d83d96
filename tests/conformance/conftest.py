"""`storage`: an open, empty storage of each backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runyard.runtime.storage.port import Storage

from .backends import BACKENDS, Backend

Open = Callable[[], Storage]


@pytest.fixture(params=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]


@pytest.fixture
def another(backend: Backend, tmp_path: Path) -> Iterator[Open]:
    """Opens a further handle on the same database, as another process would have."""
    handles: list[Storage] = []

    def open_handle() -> Storage:
        storage = backend.make(tmp_path)
        storage.open(tend=False)
        handles.append(storage)
        return storage

    yield open_handle
    for storage in handles:
        storage.close()


@pytest.fixture
def storage(another: Open) -> Storage:
    return another()


@pytest.fixture
def settled(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to a claim counts as lost as soon as its worker does not hold the run."""
    monkeypatch.setattr(backend.settled, 0)
