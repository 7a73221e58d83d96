"""The backends of storage that the conformance suite runs on. A new one is added here, and nowhere else.

Also imported by the racing processes, which are no part of pytest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.sqlite.storage import SqliteStorage


@dataclass(frozen=True)
class Backend:
    """make: a handle, not opened, on the database that belongs to a directory; several handles, in several
    processes, share the database.
    settled: "module:name" of the number that says how many microseconds after a claim its answer counts as
    lost if the worker does not hold the run; tests cannot wait for so long.
    """

    make: Callable[[Path], Storage]
    settled: str


BACKENDS = {
    "sqlite": Backend(
        lambda directory: SqliteStorage(directory / "runyard.db"), "runyard.runtime.storage.sqlite.workers.CLAIM_GRACE"
    ),
}
