"""`storage`: an open, empty storage of each backend. `track`: two processes that race on one."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.postgres.storage import PostgresStorage

from .backends import BACKENDS, PLAIN, Backend
from .leases import LEASE
from .postgres_handles import Handle, PostgresHandles, empty_schema
from .postgres_server import schema_of
from .races import Racer, Track

Open = Callable[[], Storage]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out what need not be tested of a backend."""
    items[:] = [item for item in items if Path(__file__).parent not in item.path.parents or _is_for_its_backend(item)]


def _is_for_its_backend(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    given = () if callspec is None else callspec.params.values()
    name = next((value for value in given if value in BACKENDS), None)
    only = None if name is None else BACKENDS[name].only
    return only is None or item.path.stem in only


PARAMETERS = [
    pytest.param(name, marks=pytest.mark.full if backend.encrypted else ()) for name, backend in BACKENDS.items()
]


@pytest.fixture(params=PARAMETERS)
def backend(request: pytest.FixtureRequest) -> Backend:
    backend = BACKENDS[request.param]
    if backend.encrypted and request.node.get_closest_marker("plain"):
        pytest.skip("it looks at what is stored")
    return backend


@pytest.fixture
def another(backend: Backend, tmp_path: Path) -> Iterator[Open]:
    """Opens a further handle on the same database, as another process would have."""
    handles: list[Storage] = []
    backend.prepare(tmp_path)

    def open_handle() -> Storage:
        storage = backend.make(tmp_path)
        storage.open(maintain=False)
        handles.append(storage)
        return storage

    yield open_handle
    for storage in handles:
        storage.close()
    backend.remove(tmp_path)


@pytest.fixture
def storage(another: Open) -> Storage:
    return another()


@pytest.fixture
def no_claim_grace(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to a claim counts as lost as soon as its worker does not hold the run."""
    monkeypatch.setattr(backend.claim_grace, 0)


@pytest.fixture
def set_time_of_day(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time of day by so many seconds from what it is."""

    def set_it(seconds: float) -> None:
        module, name = backend.time_of_day.rsplit(".", 1)
        before: Callable[[], int] = getattr(importlib.import_module(module), name)
        monkeypatch.setattr(backend.time_of_day, lambda: before() + int(seconds * 1e9))

    return set_it


@pytest.fixture
def let_time_pass(
    backend: Backend, tmp_path: Path, set_time_of_day: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> Callable[[float], None]:
    """Has so many seconds go by, by the clock that storage goes by."""
    clock = backend.clock
    if clock is None:
        return set_time_of_day
    return lambda seconds: clock(monkeypatch, tmp_path, seconds)


@pytest.fixture(scope="module", params=PLAIN)
def track(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Track]:
    """Both racers open the database, which does not exist yet, at once: that is the first race."""
    directory: Path = tmp_path_factory.mktemp("race")
    storage = BACKENDS[request.param].make(directory)
    racers = [Racer(request.param, directory) for _ in range(2)]
    try:
        for racer in racers:
            racer.await_ready()
        storage.open(maintain=False)
        yield Track(storage, racers)
        storage.close()
    finally:
        for racer in racers:
            racer.close()
        BACKENDS[request.param].remove(directory)


@pytest.fixture
def postgres_handles(tmp_path: Path) -> Iterator[PostgresHandles]:
    """On a schema of the tests' Postgres."""
    with empty_schema(tmp_path) as handles:
        yield handles


@pytest.fixture
def schema(postgres_handles: PostgresHandles, tmp_path: Path) -> str:
    """That schema, into which everything is moved."""
    return schema_of(tmp_path)


@pytest.fixture
def postgres(postgres_handles: PostgresHandles) -> PostgresStorage:
    """Storage on what was moved; a test opens it."""
    return postgres_handles.make()


@pytest.fixture
def server(postgres_handles: PostgresHandles) -> Handle:
    """Another server process's handle, open, with short leases."""
    return partial(postgres_handles.open, lease=LEASE)
