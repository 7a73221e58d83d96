"""The backends of storage that the conformance suite runs on. A new one is added here, and nowhere else.

Also imported by the racing processes, which are not part of pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from runyard.runtime.encryption.handlers import Handlers
from runyard.runtime.storage.encrypted.storage import EncryptedStorage
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.postgres.database.target import Target
from runyard.runtime.storage.postgres.storage import PostgresStorage
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.encryption_handlers import encryption

from .postgres_server import address, schema_of, set_clock
from .prepared import clear_schema, lay_files, lay_schema


@dataclass(frozen=True)
class Backend:
    """make: a handle, not opened, on the database that belongs to a directory; several handles, in several
    processes, share the database.
    prepare: puts an empty database into a directory, which is sooner done than by opening what is not there.
    claim_grace: "module.name" of the number that says how many microseconds after a claim its answer counts as
    lost if the worker does not hold the run; tests cannot wait for so long.
    largest_page: "module.name" of the number that says how long the values of one page of the store may be.
    search_thresholds: "module.name" of numbers of threads or items from which on searches go another way, and for each
    a number so low that the few of a test are as many.
    small_steps: "module.name" of what bounds a transaction that removes or copies much, and for each a value with
    which it does next to nothing.
    time_of_day: "module.name" of the function that says the time of day in nanoseconds.
    clock: how the clock that storage goes by is set, given what undoes that, a directory, and seconds from what it is;
    None: it is the time of day.
    remove: removes what belongs to a directory and does not go with it.
    only: the modules of tests that run on it; None: all. A combination need not pass again what its parts have passed.
    encrypted: whether what is stored is encrypted. What is counted then, and found by, is not what was given.
    """

    make: Callable[[Path], Storage]
    prepare: Callable[[Path], None]
    claim_grace: str
    largest_page: str
    search_thresholds: Mapping[str, int]
    small_steps: Mapping[str, float]
    time_of_day: str
    clock: Callable[[pytest.MonkeyPatch, Path, float], None] | None = None
    remove: Callable[[Path], None] = lambda directory: None
    only: Set[str] | None = None
    encrypted: bool = False


def make_sqlite(directory: Path) -> Storage:
    return SqliteStorage(directory / "runyard.db")


def make_postgres(directory: Path) -> Storage:
    return PostgresStorage(Target.parse(address(), schema_of(directory)))


def behind_handlers(make: Callable[[Path], Storage]) -> Callable[[Path], Storage]:
    """A backend's storage behind handlers. They leave metadata as they are: those are what most searches go by."""
    handlers = Handlers(encryption(hidden=lambda key: False), "encryption", timeout=10)
    return lambda directory: EncryptedStorage(make(directory), handlers)


BACKENDS = {
    "sqlite": Backend(
        make=make_sqlite,
        prepare=lay_files,
        claim_grace="runyard.runtime.storage.shared.workers.CLAIM_GRACE",
        largest_page="runyard.runtime.storage.sqlite.store.search.LARGEST_PAGE",
        search_thresholds={
            "runyard.runtime.storage.shared.thread_search.NARROW": 3,
            "runyard.runtime.storage.sqlite.store.search.FEW": 3,
        },
        small_steps={
            "runyard.runtime.storage.time_slice.SLICE": 0.0,
            "runyard.runtime.storage.shared.removal.PIECE": 2,
            "runyard.runtime.storage.shared.copying.PAGE_ROWS": 2,
            "runyard.runtime.storage.shared.insertion.CROWD": 2,
        },
        time_of_day="time.time_ns",
    ),
    "postgres": Backend(
        make=make_postgres,
        prepare=lay_schema,
        claim_grace="runyard.runtime.storage.shared.workers.CLAIM_GRACE",
        largest_page="runyard.runtime.storage.postgres.store.search.LARGEST_PAGE",
        search_thresholds={"runyard.runtime.storage.shared.thread_search.NARROW": 3},
        small_steps={
            "runyard.runtime.storage.time_slice.SLICE": 0.0,
            "runyard.runtime.storage.shared.removal.PIECE": 2,
            "runyard.runtime.storage.shared.copying.PAGE_ROWS": 2,
            "runyard.runtime.storage.shared.insertion.CROWD": 2,
        },
        time_of_day="time.time_ns",
        clock=set_clock,
        remove=clear_schema,
    ),
}

BACKENDS["encrypted"] = replace(BACKENDS["sqlite"], make=behind_handlers(make_sqlite), encrypted=True)
BACKENDS["encrypted-postgres"] = replace(
    BACKENDS["postgres"],
    make=behind_handlers(make_postgres),
    encrypted=True,
    only=frozenset(("test_sealed", "test_checkpoints", "test_results", "test_thread_search", "test_finish")),
)
PLAIN = [name for name, backend in BACKENDS.items() if not backend.encrypted]
"""Those that say of themselves what they store: what holds for them holds for what is built on them."""
