"""The backends of storage that the conformance suite runs on. A new one is added here, and nowhere else.

Also imported by the racing processes, which are not part of pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.sqlite.storage import SqliteStorage


@dataclass(frozen=True)
class Backend:
    """make: a handle, not opened, on the database that belongs to a directory; several handles, in several
    processes, share the database.
    claim_grace: "module.name" of the number that says how many microseconds after a claim its answer counts as
    lost if the worker does not hold the run; tests cannot wait for so long.
    search_thresholds: "module.name" of numbers of threads or items from which on searches go another way, and for each
    a number so low that the few of a test are as many.
    small_steps: "module.name" of what bounds a transaction that removes or copies much, and for each a value with
    which it does next to nothing.
    time_of_day: "module.name" of the function that says the time of day in nanoseconds.
    """

    make: Callable[[Path], Storage]
    claim_grace: str
    search_thresholds: Mapping[str, int]
    small_steps: Mapping[str, float]
    time_of_day: str


BACKENDS = {
    "sqlite": Backend(
        make=lambda directory: SqliteStorage(directory / "runyard.db"),
        claim_grace="runyard.runtime.storage.sqlite.workers.CLAIM_GRACE",
        search_thresholds={
            "runyard.runtime.storage.sqlite.threads.search.NARROW": 3,
            "runyard.runtime.storage.sqlite.store.search.FEW": 3,
        },
        small_steps={
            "runyard.runtime.storage.sqlite.time_slice.SLICE": 0.0,
            "runyard.runtime.storage.sqlite.leftovers.PIECE": 2,
            "runyard.runtime.storage.sqlite.copying.PAGE_ROWS": 2,
            "runyard.runtime.storage.sqlite.insertion.CROWD": 2,
        },
        time_of_day="time.time_ns",
    ),
}
