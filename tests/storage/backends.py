"""The backends of storage that the conformance suite runs on. A new one is added here, and nowhere else.

Also imported by the racing processes, which are not part of pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from runyard.runtime.encryption.handlers import Handlers
from runyard.runtime.storage.encrypted.storage import EncryptedStorage
from runyard.runtime.storage.port.storage import Storage
from runyard.runtime.storage.postgres.storage import PostgresStorage
from runyard.runtime.storage.postgres.target import Target
from runyard.runtime.storage.sqlite.storage import SqliteStorage
from tests.encryption_handlers import encryption

from .postgres_server import address, drop_schema, schema_of, set_clock


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
    clock: how the clock that storage goes by is set, given what undoes that, a directory, and seconds from what it is;
    None: it is the time of day.
    remove: removes what belongs to a directory and does not go with it.
    not_yet: modules of tests that are left out, or of one as "module::test", since the backend lacks what they test.
    some_changes: seconds in which a process makes some dozens of changes, one after the other.
    encrypted: whether what is stored is encrypted. What is counted then, and found by, is not what was given.
    """

    make: Callable[[Path], Storage]
    claim_grace: str
    search_thresholds: Mapping[str, int]
    small_steps: Mapping[str, float]
    time_of_day: str
    clock: Callable[[pytest.MonkeyPatch, Path, float], None] | None = None
    remove: Callable[[Path], None] = lambda directory: None
    not_yet: Set[str] = frozenset()
    some_changes: float = 0.08
    encrypted: bool = False


def make_encrypted(directory: Path) -> Storage:
    """SQLite behind handlers. They leave metadata as they are: those are what most searches go by."""
    handlers = Handlers(encryption(hidden=lambda key: False), "encryption", timeout=10)
    return EncryptedStorage(SqliteStorage(directory / "runyard.db"), handlers)


BACKENDS = {
    "sqlite": Backend(
        make=lambda directory: SqliteStorage(directory / "runyard.db"),
        claim_grace="runyard.runtime.storage.sqlite.workers.CLAIM_GRACE",
        search_thresholds={
            "runyard.runtime.storage.sqlite.threads.search.NARROW": 3,
            "runyard.runtime.storage.sqlite.store.search.FEW": 3,
        },
        small_steps={
            "runyard.runtime.storage.time_slice.SLICE": 0.0,
            "runyard.runtime.storage.sqlite.leftovers.PIECE": 2,
            "runyard.runtime.storage.sqlite.copying.PAGE_ROWS": 2,
            "runyard.runtime.storage.sqlite.insertion.CROWD": 2,
        },
        time_of_day="time.time_ns",
    ),
    "postgres": Backend(
        make=lambda directory: cast(Storage, PostgresStorage(Target.parse(address(), schema_of(directory)))),
        claim_grace="runyard.runtime.storage.postgres.workers.CLAIM_GRACE",
        search_thresholds={"runyard.runtime.storage.postgres.threads.search.NARROW": 3},
        small_steps={
            "runyard.runtime.storage.time_slice.SLICE": 0.0,
            "runyard.runtime.storage.postgres.leftovers.PIECE": 2,
            "runyard.runtime.storage.postgres.copying.PAGE_ROWS": 2,
            "runyard.runtime.storage.postgres.insertion.CROWD": 2,
        },
        time_of_day="time.time_ns",
        clock=set_clock,
        some_changes=0.3,
        remove=drop_schema,
        not_yet=frozenset(
            {
                "test_races::test_finish_and_the_last_reap",
                "test_thread_races",
                "test_tries::test_a_run_that_waits_for_its_next_try_is_pending_on_a_busy_thread",
                "test_tries::test_what_the_saver_still_held_is_there_at_the_next_try",
                "test_tries::test_what_cannot_be_read_is_no_basis_for_the_next_try",
                "test_tries::test_a_temporary_thread_goes_with_a_run_that_is_cancelled_before_its_next_try",
                "test_outcomes::test_outcomes_are_forgotten_when_they_are_old",
                "test_threads::test_a_thread_is_made_once",
                "test_threads::test_a_thread_is_made_with_its_first_state",
                "test_threads::test_deleting_takes_everything_along",
                "test_threads::test_a_copy_has_the_state_and_no_runs",
                "test_threads::test_an_edit_needs_a_thread_at_rest",
                "test_threads::test_an_edit_names_the_state_that_it_knew",
                "test_threads::test_dropping_a_history",
                "test_capabilities::test_it_searches_by_meaning_if_it_says_so",
                "test_fencing",
                "test_killed",
                "test_large_threads",
                "test_rollback",
                "test_scopes",
                "test_settling",
                "test_transitions",
                "test_finish::test_a_temporary_run_leaves_no_checkpoints_however_it_ends",
                "test_finish::test_a_kept_thread_keeps_its_checkpoints_when_a_run_on_it_is_cancelled",
                "test_finish::test_rolling_back_removes_what_the_run_wrote_and_nothing_else",
                "test_workers::test_a_run_that_was_to_stop_ends_with_its_dead_worker",
                "test_checkpoints",
                "test_events",
                "test_sealed",
                "test_store",
            }
        ),
    ),
}

BACKENDS["encrypted"] = replace(BACKENDS["sqlite"], make=make_encrypted, encrypted=True)
PLAIN = [name for name, backend in BACKENDS.items() if not backend.encrypted]
"""Those that say of themselves what they store: what holds for them holds for what is built on them."""
